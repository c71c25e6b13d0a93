"""The page of jobs: what each is for, what it came to or where it stopped, what it waits for, and going on."""

import pytest

from core.records import JobState
from db.experiments import Runs
from db.jobs import Jobs
from tests.pages.test_training import StopAt
from tests.training_home import fill, rebuild, small_config
from workbench.i18n import translate
from workbench.jobs.running import lock_of, run_job, submit
from workbench.tasks.options import train_params
from workbench.tasks.training import queue_run

JOBS = "system/jobs.py"


@pytest.fixture
def lake(home):
    fill(home)
    return home


def queue(home, **options):
    return queue_run(home, home.open(), train_params("lake", "mini", small_config(**options)))


@pytest.fixture
def stopped(lake):
    """A run of 200 epochs that was stopped at step 5."""
    job = queue(lake, epochs=200)
    assert run_job(lake, job.id, beside=StopAt(lake, job.id, 5)).state is JobState.CANCELLED
    return Jobs(lake.open()).get(job.id)


def said(app):
    found = "\n".join(str(e.value) for kind in ("markdown", "caption", "text") for e in app.get(kind))
    bars = "\n".join(element.proto.text for element in app.get("progress"))
    return f"{found}\n{bars}".replace("\\", "").replace("\u2060", "")


def buttons(app):
    return [button.label for button in app.button]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stopped_run_is_called_stopped_says_where_and_goes_on_from_the_list(lake, stopped, open_page, language):
    app = open_page(JOBS, language)
    row = app.dataframe[0].value.iloc[0]
    run = Runs(lake.open()).of_job(stopped.id).name
    assert list(row)[4] == translate("jobs.state.cancelled", language) in ("stopped", "已停止")
    assert run in list(row)[3] and str(stopped.done) in list(row)[5] and "…" not in list(row)[5]
    told = translate("jobs.stopped_step", language, step=stopped.done, steps=stopped.total, epoch=3, epochs=200)
    assert told.split("3")[0] in said(app) and translate("jobs.can_resume", language) in said(app)
    next(b for b in app.button if b.label == translate("jobs.resume", language)).click().run()
    assert Jobs(lake.open()).get(stopped.id).state is JobState.QUEUED


def test_a_run_whose_dataset_was_built_anew_is_not_offered_to_go_on(lake, stopped, open_page):
    rebuild(lake, seed=3)
    assert "Resume" not in buttons(open_page(JOBS))


def test_a_job_that_was_stopped_in_the_queue_says_so_and_its_card_stays(lake, open_page):
    first, second = queue(lake), queue(lake, seed=1)
    app = open_page(JOBS)
    assert buttons(app).count("Stop") == 2
    app.button(key=f"stop-{first.id}").click().run()
    assert "Stopped before it began." in said(app)
    keys = [button.key for button in app.button if button.key and button.key.split("-")[0] in ("stop", "resume")]
    assert keys == [f"resume-{first.id}", f"stop-{second.id}"], "each in its place"


def test_a_queued_job_says_what_it_is_for_and_what_it_waits_for(lake, open_page):
    first, second = queue(lake, epochs=7), queue(lake, epochs=9)
    told = said(open_page(JOBS))
    assert "dataset lake · mini · LoRA r4 · 9 epochs" in told
    assert told.count("Waits for") == 1 and f"Waits for Training #{first.id}." in told
    assert f"Waits for Training #{second.id}" not in told


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_job_that_is_done_says_what_it_came_to_and_nothing_of_work_in_progress(lake, open_page, language):
    run_job(lake, queue(lake).id)
    db = lake.open()
    run = Runs(db).all()[0].name
    jobs = Jobs(db)
    asked = {"plan": train_params("lake", "mini", small_config(), device="cpu")}
    asked |= {"evaluate": {"dataset": "lake", "runs": [run], "split": "valid"}, "strength": {"run": run}}
    for kind, params in asked.items():
        assert run_job(lake, submit(lake, jobs, kind, params).id).state is JobState.DONE
    app = open_page(JOBS, language)
    results = list(app.dataframe[0].value.iloc[:, 5])
    progress = [translate(job.message, language, done=job.done, total=job.total, **job.details) for job in jobs.page()]
    assert len(results) == 4 and not set(results) & set(progress) and "—" not in results
    assert not any("…" in result for result in results)
    assert any(run in result and "R@5" in result for result in results)


def test_a_measured_plan_is_found_again_on_its_own_page(lake, open_page):
    job = submit(lake, Jobs(lake.open()), "plan", train_params("lake", "mini", small_config(), device="cpu"))
    run_job(lake, job.id)
    app = open_page(JOBS, job=str(job.id))
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Pictures at a time"] and figures["The whole run"].endswith(("s", "min", "h"))


def test_the_experiment_that_is_under_way_has_a_name_in_chinese(lake, open_page):
    jobs = Jobs(lake.open())
    job = submit(lake, jobs, "ablate", {"dataset": "lake"})
    with lock_of(lake, job.id):
        assert jobs.begin(job.id)
        for label, name in (("only-modern", "只用白话图注"), ("rank-64", "秩 64"), ("full", "全量微调")):
            jobs.report(job.id, 1, 8, "progress.ablating", {"name": label})
            assert f"正在进行对照实验：{name}" in said(open_page(JOBS, "zh"))
