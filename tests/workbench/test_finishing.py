"""A stopped run that nobody wants to go on with ends with the best epoch it has, without training on."""

import pytest
import torch
from safetensors.torch import load_file

from core.errors import ConflictError, InputError
from core.model.weights import save_merged
from core.records import JobState
from core.training.checkpoints import BEST, LAST
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import StopAt, fill, rebuild, small_config
from workbench.jobs import running
from workbench.jobs.running import run_job, submit
from workbench.tasks.finishing import finish_here
from workbench.tasks.models import ADAPTER, FULL, finished_runs, load
from workbench.tasks.options import train_params
from workbench.tasks.run_files import METRICS, read_metrics
from workbench.tasks.searching import search

EPOCHS = 30


@pytest.fixture(autouse=True)
def filled(home, monkeypatch):
    monkeypatch.setattr(running, "REPORT_SECONDS", 0.0)  # a stop is seen at the very step
    fill(home)


def stopped(home, db, steps=9, model="mini", **options):
    """A run that was asked to stop after so many steps, and its job."""
    job = submit(home, Jobs(db), "train", train_params("lake", model, small_config(EPOCHS, **options))).id
    assert run_job(home, job, beside=StopAt(Jobs(db), job, steps)).state is JobState.CANCELLED
    return Runs(db).of_job(job), job


def best_of(folder):
    return torch.load(folder / BEST, weights_only=True)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_best_epoch_so_far_becomes_the_model(home, db, method):
    run, job = stopped(home, db, method=method)
    folder = home.experiments / run.name
    best, before = best_of(folder), (folder / METRICS).read_bytes()
    assert finished_runs(home, db) == []
    assert finish_here(home, db, run.name).id == job
    ended = run_job(home, job)
    assert ended.state is JobState.DONE, ended
    summary = Runs(db).get(run.name).summary
    steps, epochs = read_metrics(folder)
    assert summary["finished_here"] and summary["ended_early"] and summary["chosen_by"] == "mean_recall"
    assert (summary["best_epoch"], summary["epochs"]) == (best["epoch"], epochs[-1]["epoch"])
    assert max(row["mean_recall"] for row in epochs[1:]) == epochs[best["epoch"]]["mean_recall"]
    assert 0 < summary["epochs"] < EPOCHS and summary["seconds"] == round(steps[-1]["seconds"], 1)
    assert (folder / METRICS).read_bytes() == before, "not a step more"
    written = load_file(folder / (ADAPTER if method == "lora" else FULL))
    tuned = {name: tensor for name, tensor in written.items() if name in best["weights"]}
    assert len(tuned) > 5 and all(torch.equal(tensor, best["weights"][name]) for name, tensor in tuned.items())
    assert finished_runs(home, db) == [run.name] and search(home, db, "湖", run=run.name)


def test_neither_the_dataset_nor_the_last_checkpoint_is_needed(home, db):
    run, job = stopped(home, db)
    rebuild(home, kinds=["modern"])
    (home.experiments / run.name / LAST).write_bytes(b"damaged")
    Jobs(db).resume(job)
    assert run_job(home, job).error == "run_dataset_rebuilt", "it cannot go on"
    finish_here(home, db, run.name)
    assert run_job(home, job).state is JobState.DONE and load(home, db, run=run.name).adapter


def test_what_was_taken_back_is_not_finished_later(home, db):
    run, job = stopped(home, db)
    finish_here(home, db, run.name)
    assert Jobs(db).cancel(job).state is JobState.CANCELLED
    Jobs(db).resume(job)
    assert run_job(home, job).state is JobState.DONE
    summary = Runs(db).get(run.name).summary
    assert summary["epochs"] == EPOCHS and "finished_here" not in summary


def test_nothing_is_finished_twice_or_while_it_works_or_without_an_epoch(home, db):
    run, job = stopped(home, db)
    finish_here(home, db, run.name)
    with pytest.raises(ConflictError):
        finish_here(home, db, run.name)
    assert run_job(home, job).result["finished_here"], "the second click has changed nothing"
    early, _ = stopped(home, db, steps=1)
    for name in (run.name, early.name):
        with pytest.raises(InputError) as error:
            finish_here(home, db, name)
        assert error.value.code == "run_nothing_to_finish"
    assert [found.state for found in Jobs(db).page(kind="train")] == [JobState.CANCELLED, JobState.DONE]


def test_other_weights_in_the_bases_place_are_refused(home, db):
    base, mini = home.weights / "own.safetensors", load(home, db, model="mini")
    save_merged(base, mini.clip, mini.spec)
    run, job = stopped(home, db, model=str(base))
    with torch.no_grad():
        mini.clip.visual.proj.mul_(1.01)
    save_merged(base, mini.clip, mini.spec)
    finish_here(home, db, run.name)
    ended = run_job(home, job)
    assert (ended.state, ended.error) == (JobState.FAILED, "resume_mismatch")
    assert not (home.experiments / run.name / ADAPTER).exists() and not Runs(db).get(run.name).summary


def test_the_command_line_finishes_it_on_the_spot(home, db, songclip):
    run, job = stopped(home, db)
    assert songclip("jobs", "finish", job, "--json").document["result"]["run"] == run.name
    assert (home.experiments / run.name / ADAPTER).is_file()
    assert songclip("jobs", "finish", job).mistake(run.name)
    assert songclip("jobs", "finish", 99).mistake("99")
