"""Runs that end badly, in processes of their own: killed at any moment, and on a full disk."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from core.training.checkpoints import BEST, LAST

SCRIPT = Path(__file__).with_name("interrupted_run.py")
ROOT = Path(__file__).parents[3]
MOMENTS = (
    "evaluate:1",  # of the untuned model, before the first step
    "backward:2",  # inside the first step
    f"write/{BEST}:1",  # the last checkpoint is there and names a best that is not
    f"written/{BEST}:1",
    "moved:2",  # the weights have moved, and nobody has noted the step
    "evaluate:2",
    "any",
    f"write/{LAST}:2",
    f"written/{LAST}:1",
    "epoch 8:1",  # after the last epoch, with the model still to be written
)


def start(folder, *more):
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, str(SCRIPT), str(folder), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def steps_of(process):
    """Each step's number as it is said."""
    for line in process.stdout:
        word, _, rest = line.partition(" ")
        if word == "step":
            yield int(rest)


def final(folder):
    """The model as chosen, which is of the first epoch, and the weights after the last step."""
    last = torch.load(folder / LAST, weights_only=True)["weights"]
    chosen = torch.load(folder / "final.pt", weights_only=True)
    assert chosen.pop("best") == 1 and last.keys() == chosen.keys()
    assert not any(torch.equal(chosen[name], last[name]) for name in chosen)
    return chosen, last


def same(found, expected):
    """Bit for bit."""
    return all(torch.equal(a[name], b[name]) for a, b in zip(found, expected, strict=True) for name in b)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder)
    began, steps = 0.0, []
    for step in steps_of(process):
        began = began or time.monotonic()
        steps.append(step)
    took = time.monotonic() - began
    assert process.wait() == 0 and steps == list(range(1, 17))
    return final(folder), took


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_run_killed_at_many_moments_of_its_life_ends_with_the_same_weights(tmp_path, uninterrupted):
    """kill -9 again and again, each time gone on from what is there; one moment is another one at each run."""
    expected, took = uninterrupted
    for moment in MOMENTS:
        process = start(tmp_path, *(["--die", moment] if moment != "any" else []))
        seen = next(steps_of(process), None)
        if moment == "any":
            assert seen
            time.sleep(random.Random().uniform(0, 0.2 * took))
            process.kill()
        process.stdout.read()
        assert process.wait(60) == -signal.SIGKILL, moment
        assert not (tmp_path / "final.pt").exists()
    process = start(tmp_path)
    assert list(steps_of(process)) == [] and process.wait(60) == 0, "all its steps were done before the last kill"
    assert same(final(tmp_path), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == [BEST, "final.pt", LAST]


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit to play a full disk with")
def test_a_full_disk_keeps_the_best_and_the_run_goes_on_when_there_is_room(tmp_path, uninterrupted):
    """Every write beyond 20 kB is refused from the third epoch on, as a full disk refuses it."""
    process = start(tmp_path, "--file-limit", "20000")
    said = process.stdout.read()
    assert process.wait() == 3 and "refused file_not_written last.pt" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == [BEST, LAST]
    kept = torch.load(tmp_path / BEST, weights_only=True)
    state = torch.load(tmp_path / LAST, weights_only=True)["state"]
    assert kept["epoch"] == state["best_epoch"] == 1 and state["epoch"] == 3
    process = start(tmp_path)
    assert list(steps_of(process))[-1] == 16 and process.wait() == 0
    assert same(final(tmp_path), uninterrupted[0])
