"""Ending a stopped run on its page."""

import pytest

from core.records import JobState
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import StopAt, fill, small_config
from workbench.i18n import translate
from workbench.jobs import running
from workbench.jobs.running import run_job, submit
from workbench.tasks.options import train_params
from workbench.tasks.run_files import read_metrics

RUN = "model/run.py"


@pytest.fixture
def stop(home, monkeypatch):
    """A function that trains a run and stops it after so many steps; gives the run and its job's number."""
    monkeypatch.setattr(running, "REPORT_SECONDS", 0.0)  # a stop is seen at the very step
    fill(home)
    db = home.open()

    def stopped(steps):
        job = submit(home, Jobs(db), "train", train_params("lake", "mini", small_config(30))).id
        assert run_job(home, job, beside=StopAt(Jobs(db), job, steps)).state is JobState.CANCELLED
        return Runs(db).of_job(job), job

    return stopped


def button(app, run):
    return next((button for button in app.button if button.key == f"finish-{run.name}"), None)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stopped_run_is_finished_by_a_button_and_its_page_says_so(home, stop, open_page, language):
    run, job = stop(9)
    epochs = read_metrics(home.experiments / run.name)[1]
    best = next(row["epoch"] for row in reversed(epochs) if row.get("best"))
    app = open_page(RUN, language, run=run.name)
    assert button(app, run).label == translate("run_page.finish", language, epoch=best)
    button(app, run).click().run()
    assert not app.exception and Jobs(home.open()).get(job).state is JobState.QUEUED
    assert button(app, run) is None
    assert run_job(home, job).state is JobState.DONE
    app = open_page(RUN, language, run=run.name)
    sentence = translate("run_page.finished_here", language, trained=epochs[-1]["epoch"], planned=30)
    assert sentence in [info.value for info in app.info] and not app.exception
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures[translate("run_page.best", language)] == str(best)
    assert button(app, run) is None and translate("jobs.resume", language) not in [b.label for b in app.button]


def test_two_clicks_finish_it_once(home, stop, open_page):
    run, job = stop(9)
    first, second = (open_page(RUN, run=run.name) for _ in range(2))
    for app in (first, second):
        button(app, run).click().run()
        assert not app.exception and not app.error
    assert run_job(home, job).result["finished_here"] and len(Jobs(home.open()).page(kind="train")) == 1


def test_a_run_without_an_epoch_has_nothing_to_finish_with(stop, open_page):
    run, _ = stop(1)
    app = open_page(RUN, run=run.name)
    assert button(app, run) is None and not app.exception
