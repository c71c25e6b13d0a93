"""Whole training jobs killed with SIGKILL and gone on with: the model file is the same, byte for byte."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from core.records import JobState
from core.training.checkpoints import LAST
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import fill, small_config
from workbench.jobs.running import run_job, submit
from workbench.tasks.models import ADAPTER
from workbench.tasks.options import train_params
from workbench.tasks.run_files import METRICS, read_metrics

ROOT = Path(__file__).parents[2]
PLAIN = "from workbench.cli import main; main()"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")


def started(home, job, moment=""):
    """``songclip jobs run``, as the dispatcher starts it; to be killed at a moment of tests/killing.py."""
    assert [claimed.id for claimed in Jobs(home.open()).claim()] == [job]
    script = f"from tests.killing import die_at; die_at({moment!r}); {PLAIN}" if moment else PLAIN
    command = [sys.executable, "-c", script, "--home", str(home.path), "jobs", "run", str(job)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)


def killed_at_step(process, folder, step):
    """Kill from outside, wherever it is when so many steps are written."""
    deadline = time.monotonic() + 90
    while not (folder.is_dir() and len(read_metrics(folder)[0]) >= step):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.kill()


def test_a_job_killed_again_and_again_writes_the_same_model(home, db, songclip):
    fill(home)
    jobs, config = Jobs(db), small_config(20, dropout=0.1)
    params = train_params("lake", "mini", config)
    whole = home.experiments / Runs(db).of_job(run_job(home, submit(home, jobs, "train", params).id).id).name
    job = submit(home, jobs, "train", params).id
    folder = home.experiments / "0002-lora-r4"

    def ended(process):
        assert process.wait(90) == -signal.SIGKILL
        assert songclip("jobs", "show", job, "--json").document["state"] == "interrupted"
        assert songclip("jobs", "resume", job, "--json").document["state"] == "queued"

    ended(started(home, job, "opened:5"))
    assert folder.is_dir() and not (folder / METRICS).exists(), "killed while pictures were decoded"

    process = started(home, job)
    killed_at_step(process, folder, 5)
    ended(process)
    assert (folder / LAST).is_file() and not (folder / ADAPTER).exists()

    ended(started(home, job, f"write/{ADAPTER}:1"))
    assert not (folder / ADAPTER).exists(), "half a model file is none"
    ended(started(home, job, f"written/{ADAPTER}:1"))
    assert (folder / ADAPTER).is_file() and not Runs(db).get(folder.name).summary

    assert started(home, job).wait(90) == 0
    last = jobs.get(job)
    assert (last.state, last.attempt) == (JobState.DONE, 5), last
    assert (folder / ADAPTER).read_bytes() == (whole / ADAPTER).read_bytes()
    weights, others = (torch.load(part / LAST, weights_only=True)["weights"] for part in (folder, whole))
    assert all(torch.equal(weights[name], others[name]) for name in others), "and so are those after the last step"
    curves = [[(row["step"], row["loss"]) for row in read_metrics(part)[0]] for part in (folder, whole)]
    recalls = [[(row["epoch"], row["mean_recall"]) for row in read_metrics(part)[1]] for part in (folder, whole)]
    assert curves[0] == curves[1] and recalls[0] == recalls[1]
    assert {file.name for file in folder.iterdir()} == {file.name for file in whole.iterdir()}
