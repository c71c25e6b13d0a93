"""Kinds of job for the tests, known to this process and to those that it starts."""

import os
import sys
import time
from pathlib import Path

import pytest

from db.jobs import Jobs
from workbench.jobs.kinds import KINDS

FOLDER = str(Path(__file__).parent / "extra_kinds")


@pytest.fixture(autouse=True)
def _extra_kinds(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([FOLDER, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    before = dict(KINDS)
    import extra_tasks

    extra_tasks.register()
    yield
    KINDS.clear()
    KINDS.update(before)
    del sys.modules["extra_tasks"]


@pytest.fixture
def jobs(db):
    return Jobs(db)


@pytest.fixture
def until():
    """Wait for something another process does."""

    def wait(condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait
