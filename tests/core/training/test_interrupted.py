"""Runs that end badly, in processes of their own: killed at any moment, and on a full disk."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from core.training.checkpoints import BEST, LAST

SCRIPT = Path(__file__).with_name("interrupted_run.py")
ROOT = Path(__file__).parents[3]
KILLS = 4


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
    return torch.load(folder / "final.pt", weights_only=True)


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


def test_a_run_killed_at_random_moments_ends_with_the_same_weights(tmp_path, uninterrupted):
    """kill -9 during a step, an evaluation or the writing of a checkpoint; the seed of the moments is new each time."""
    expected, took = uninterrupted
    moments = [random.Random().uniform(0, 0.6 * took) for _ in range(KILLS)]
    killed = 0
    for moment in moments:
        process = start(tmp_path)
        seen = next(steps_of(process), None)
        if seen is not None:
            time.sleep(moment)
        killed += process.poll() is None
        process.kill()
        process.wait()
        if (tmp_path / "final.pt").is_file():
            break
    process = start(tmp_path)
    seen = list(steps_of(process))
    assert process.wait() == 0 and killed
    found = final(tmp_path)
    assert found.keys() == expected.keys() and found["best"] == expected["best"]
    assert all(torch.equal(found[k], expected[k]) for k in found if k != "best"), moments
    assert sorted(p.name for p in tmp_path.iterdir()) == [BEST, "final.pt", LAST]
    assert seen == [] or seen[-1] == 16


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
    assert all(torch.equal(final(tmp_path)[k], uninterrupted[0][k]) for k in uninterrupted[0] if k != "best")
