"""A whole training job that runs out of memory: the system really refuses it, and its page says what was done."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.records import JobState
from db.experiments import Runs
from db.jobs import Jobs
from tests.training_home import fill, small_config
from workbench.i18n import translate
from workbench.jobs.dispatching import spawn
from workbench.jobs.running import submit
from workbench.tasks.models import ADAPTER
from workbench.tasks.options import train_params
from workbench.tasks.run_files import LOG, read_metrics, tail

resource = pytest.importorskip("resource")
MB = 1024**2
PICTURES = 86
ROOM = 160 * MB
"""More than a few pictures at a time need, and less than half of what all of them would."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the address space of a process is limited by prlimit")


def trained(home, memory_gb=0.0, limit=0):
    """A run of three steps of the whole train split in a process of its own, and the most memory it mapped, in bytes.

    Beyond ``limit`` bytes of address space the system refuses it more.
    """
    config = replace(
        small_config(3, dropout=0.1, texts="all", memory=memory_gb), batch_size=43, accumulation=2, augment=True
    )
    jobs = Jobs(home.open())
    job = submit(home, jobs, "train", train_params("lake", "mini", config))
    jobs.claim()
    process = spawn(home, job)
    if limit:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
    peak = 0
    while process.poll() is None:
        peak = max(peak, mapped(process.pid))
        time.sleep(0.01)
    ended = jobs.get(job.id)
    assert ended.state is JobState.DONE, ended
    return Runs(home.open()).of_job(job.id), peak


def mapped(pid):
    said = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next((1024 * int(line.split()[1]) for line in said.splitlines() if line.startswith("VmPeak")), 0)


def test_a_job_that_runs_out_of_memory_ends_with_the_same_model_and_says_so(home, open_page, monkeypatch):
    # large blocks go back to the system when they are freed, so that what counts is what lives
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    fill(home, 96, painted=False, valid=0.1, kinds=["original", "modern", "prompt"])
    small, peak = trained(home, memory_gb=0.12)
    assert small.summary["micro_batch"] < PICTURES / 3 and small.summary["notes"] == []
    cut, reached = trained(home, limit=peak + ROOM)
    assert reached <= peak + ROOM
    found = cut.summary["micro_batch"]
    assert cut.summary["notes"] == [{"step": 1, "what": "micro_batch", "before": PICTURES, "now": found}]
    assert found < PICTURES and (cut.config["batch_size"], cut.config["accumulation"]) == (43, 2)
    assert "Memory ran out with 86" in tail([home.experiments / cut.name / LOG])

    steps, expected = (read_metrics(home.experiments / run.name)[0] for run in (cut, small))
    assert [step["micro_batch"] for step in steps] == [found] * 3
    # a contrast with fewer pictures would be another loss from the first step on
    assert [step["loss"] for step in steps] == pytest.approx([step["loss"] for step in expected], rel=1e-5)
    weights, others = (load_file(home.experiments / run.name / ADAPTER) for run in (cut, small))
    assert weights.keys() == others.keys()
    assert all(torch.allclose(weights[name], others[name], atol=1e-4) for name in weights)
    assert cut.summary["best_epoch"] == small.summary["best_epoch"]

    for language in ("zh", "en"):
        app = open_page("model/run.py", language, run=cut.name)
        sentence = translate("run_page.memory_note", language, step=1, before=PICTURES, now=found)
        assert [info.value for info in app.info].count(sentence) == 1 and not app.exception
