"""What a run will take, measured as a job; and weights fetched as one, over a real HTTP server."""

import importlib.util
from pathlib import Path

import pytest

from core.errors import InputError
from core.model.lora import LoraConfig
from core.records import JobState
from core.training.config import TrainConfig
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import fill, small_config
from workbench.jobs.running import run_job, submit
from workbench.tasks.options import train_params
from workbench.tasks.planning import download_for, job_for, notices_of, steps_an_epoch, trainable_of
from workbench.tasks.run_files import read_metrics

FILE = "clip_cn_vit-b-16.pt"
_spec = importlib.util.spec_from_file_location(
    "hub_server", Path(__file__).parents[1] / "core" / "model" / "hub_server.py"
)
hub_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub_server)


def test_the_plan_says_what_the_run_then_takes(home, db):
    fill(home)
    config = small_config(2)
    params = train_params("lake", "mini", config)
    jobs = Jobs(db)
    job = run_job(home, submit(home, jobs, "plan", params).id)
    assert job.state is JobState.DONE, job
    plan = job.result
    run = run_job(home, submit(home, jobs, "train", params).id)
    trained = Runs(db).of_job(run.id).summary
    steps, _ = read_metrics(Path(run.result["path"]))
    assert (plan["trainable"], plan["total"]) == (trained["trainable"], trained["total"])
    assert plan["steps_per_epoch"] * plan["epochs"] == len(steps)
    assert plan["steps_per_epoch"] == steps_an_epoch(db, "lake", config)
    assert plan["micro_batch"] == trained["micro_batch"] and plan["effective_batch"] <= config.effective_batch
    assert plan["seconds"] == pytest.approx(plan["epoch_seconds"] * 2, abs=0.01) and plan["peak_bytes"] > 0
    if plan["device"] == "cpu" and steps[-1]["memory"]:
        assert plan["process_bytes"] == pytest.approx(steps[-1]["memory"], rel=0.3), "both of the whole process"
    assert job_for(db, "plan", params).id == job.id
    assert job_for(db, "plan", train_params("lake", "mini", small_config(3))) is None


def test_the_share_is_counted_without_weights_and_told_with_its_notices():
    counted = trainable_of("ViT-B-16", LoraConfig(rank=4))
    assert counted.trainable == 4 * (768 + 768) * 4 * 24 and 0.2 < counted.percent < 0.4
    assert trainable_of("ViT-B-16", None).trainable == trainable_of("ViT-B-16", None).total
    assert trainable_of("/somewhere/own.safetensors", None) is None
    assert [notice.code for notice in notices_of("RN50", TrainConfig())] == ["lora_text_only"]
    assert notices_of("ViT-B-16", TrainConfig()) == ()
    with pytest.raises(InputError):
        trainable_of("RN50", LoraConfig(towers=("vision",)))


class StopAfter:
    """Asks a job to stop, as the button does, with the first report of a kind."""

    def __init__(self, jobs, job_id, message):
        self.jobs, self.job_id, self.message = jobs, job_id, message

    def report(self, done, total, message="", **details):
        if message == self.message and done >= 2:
            self.jobs.cancel(self.job_id)

    def should_stop(self):
        return False


def test_a_download_is_a_job_that_stops_and_goes_on(home, db, monkeypatch):
    import time

    jobs = Jobs(db)
    with hub_server.Hub(b"weights" * 1_000_000) as hub:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.on_chunk = lambda *_: time.sleep(0.02)
        job = submit(home, jobs, "download", {"model": "ViT-B-16", "source": "huggingface"})
        stopped = run_job(home, job.id, beside=StopAfter(jobs, job.id, "progress.download"))
        assert stopped.state is JobState.CANCELLED and 0 < stopped.done < stopped.total
        assert not (home.weights / FILE).exists()
        assert download_for(db, "ViT-B-16").id == job.id and download_for(db, "RN50") is None
        jobs.resume(job.id)
        done = run_job(home, job.id)
        assert done.state is JobState.DONE and done.result["sha256"] == hub.sha256
        assert (home.weights / FILE).read_bytes() == hub.content
        assert any(asked for asked in hub.ranges_asked), "what had arrived was not fetched again"
