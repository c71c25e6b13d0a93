"""Files of a run that were damaged on the disk: said in a sentence where they are needed, else left out."""

import json
import shutil

import pytest
import torch

from core.progress import Silent
from core.records import JobState
from core.training.checkpoints import BEST, LAST
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import StopAt, fill, small_config
from workbench.i18n import translate
from workbench.jobs import running
from workbench.jobs.running import run_job, submit
from workbench.tasks.finishing import finish_here
from workbench.tasks.options import train_params
from workbench.tasks.run_files import EXAMPLES, METRICS, read_examples, read_metrics
from workbench.tasks.strengths import FILE, measure_along, measurements

ROWS = (
    b"\xff\xfe",
    b"5",
    b"[]",
    b'{"a": 1}',
    b'{"kind": "step", "step": 1}',
    b'{"kind": "step", "step": "1", "epoch": 1, "loss": 1.0, "lr": 0.1, "seconds": 1.0}',
    b'{"kind": "step", "step": 1, "epoch": 1, "loss": NaN, "lr": 0.1, "seconds": 1.0}',
    b'{"kind": "step", "step": 1, "epoch": 1, "loss": 1.0, "lr": 0.1, "seconds": 1.0, "images_per_second": "x"}',
    b'{"kind": "epoch"}',
    b'{"kind": "epoch", "epoch": 1, "mean_recall": "x"}',
    b'{"kind": "epoch", "epoch": 1, "mean_recall": 1.0, "t2i": {}, "i2t": {}}',
    b'{"kind": "epoch", "epoch": 1, "examples": [{"rank": 1}]}',
)


@pytest.fixture
def stopped(home, db, monkeypatch):
    """A run that was asked to stop in its third epoch or so, its folder and its job."""
    monkeypatch.setattr(running, "REPORT_SECONDS", 0.0)
    fill(home)
    job = submit(home, Jobs(db), "train", train_params("lake", "mini", small_config(8))).id
    assert run_job(home, job, beside=StopAt(Jobs(db), job, 5)).state is JobState.CANCELLED
    run = Runs(db).of_job(job)
    return run, home.experiments / run.name, job


def gone_on(home, db, job):
    Jobs(db).resume(job)
    return run_job(home, job)


def damage(file):
    """Rows that nobody can use, before those that stand there."""
    file.write_bytes(b"\n".join(ROWS) + b"\n" + file.read_bytes())


def test_a_run_goes_on_over_damaged_curves_and_example_queries(home, db, stopped):
    run, folder, job = stopped
    before, queries = read_metrics(folder), read_examples(folder)
    damage(folder / METRICS)
    (folder / EXAMPLES).write_text("{", encoding="utf-8")
    assert read_metrics(folder) == before and read_examples(folder) == []
    assert gone_on(home, db, job).state is JobState.DONE
    assert [row["epoch"] for row in read_metrics(folder)[1]] == list(range(9)) and read_examples(folder) == queries
    assert Runs(db).get(run.name).summary


@pytest.mark.parametrize(
    "foreign", ['[{"text":"x","row":99999,"images":[1]}]', '[{"text":1,"row":0,"images":[]}]', "5"]
)
def test_example_queries_of_another_set_are_chosen_anew(home, db, stopped, foreign):
    _, folder, job = stopped
    queries = read_examples(folder)
    (folder / EXAMPLES).write_text(foreign, encoding="utf-8")
    assert gone_on(home, db, job).state is JobState.DONE and read_examples(folder) == queries


def test_a_folder_that_is_gone_is_said(home, db, stopped):
    run, folder, job = stopped
    shutil.rmtree(folder)
    ended = gone_on(home, db, job)
    assert (ended.error, ended.error_details) == ("run_folder_gone", {"run": run.name, "folder": str(folder)})
    assert "再训练一次" in translate("errors.run_folder_gone", "zh", **ended.error_details)


@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", {"a": 1}, [1], 5000], ids=str)
def test_a_damaged_checkpoint_is_said(home, db, stopped, content):
    _, folder, job = stopped
    for name in (LAST, BEST):
        whole = (folder / name).read_bytes()
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif isinstance(content, int):
            (folder / name).write_bytes(whole[:content])
        else:
            torch.save(content, folder / name)
        if name == BEST:
            finish_here(home, db, Runs(db).of_job(job).name)
            ended = run_job(home, job)
        else:
            ended = gone_on(home, db, job)
        assert (ended.error, ended.error_details) == ("checkpoint_damaged", {"file": name})
        (folder / name).write_bytes(whole)


def test_a_run_without_readable_curves_can_be_ended_where_it_stands(home, db, stopped):
    run, folder, job = stopped
    (folder / METRICS).write_bytes(b"\n".join(ROWS))
    finish_here(home, db, run.name)
    assert run_job(home, job).state is JobState.DONE and Runs(db).get(run.name).summary["best_epoch"] > 0


def test_a_damaged_measurement_counts_as_none(home, db, stopped):
    run, folder, job = stopped
    gone_on(home, db, job)
    measured = measure_along(home, db, run.name, "", Silent())
    assert measurements(home, db, run.name) == {"": json.loads(json.dumps(measured))}
    half = {**measured, "along": [{"strength": 0.5, "tuned": {}}]}
    for content in ("{", "5", "[5]", json.dumps([half])):
        (folder / FILE).write_text(content, encoding="utf-8")
        assert measurements(home, db, run.name) == {}
    measure_along(home, db, run.name, "", Silent())
    assert list(measurements(home, db, run.name)) == [""]


@pytest.mark.parametrize("epoch", [0, 77])
def test_the_best_weights_of_an_epoch_that_is_not_the_best_make_no_model(home, db, stopped, epoch):
    run, folder, job = stopped
    best = torch.load(folder / BEST, weights_only=True)
    other = epoch or next(row["epoch"] for row in read_metrics(folder)[1][1:] if not row["best"])
    torch.save({**best, "epoch": other}, folder / BEST)
    finish_here(home, db, run.name)
    ended = run_job(home, job)
    assert (ended.error, ended.error_details["held"]) == ("checkpoint_other_epoch", other)
    assert ended.error_details["best"] == best["epoch"] and not Runs(db).get(run.name).summary
