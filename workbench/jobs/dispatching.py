"""The dispatcher: starts the next job of each lane in a process of its own that outlives it."""

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from typing import Any

from filelock import FileLock, Timeout

from core.records import Job, JobState
from db.home import Home
from db.jobs import Jobs
from workbench.jobs.running import recover

TICK_SECONDS = 0.5

logger = logging.getLogger(__name__)


def spawn(home: Home, job: Job, key: str = "") -> "subprocess.Popen[bytes]":
    """Start ``songclip jobs run ID`` detached: neither a closed server nor Ctrl-C in its terminal reaches it.

    A provider's key goes through a pipe: not on the command line, where every user of the machine could read it.
    """
    command = [sys.executable, "-m", "workbench.cli", "--home", str(home.path), "jobs", "run", str(job.id)]
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    source = subprocess.PIPE if key else subprocess.DEVNULL
    with (home.logs / f"job-{job.id}.log").open("ab") as output:
        child = subprocess.Popen(
            [*command, *(["--key-from-stdin"] if key else [])], stdin=source, stdout=output, stderr=output, **flags
        )
    if child.stdin:
        child.stdin.write(key.encode() + b"\n")
        child.stdin.close()
    return child


class Dispatcher:
    """Claims and starts jobs of one home until told to end; a second one for the same home waits for the first."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.jobs = Jobs(home.open())
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def tick(self) -> None:
        """Look once: mark the lost, start the next."""
        recover(self.home, self.jobs)
        for job_id, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[job_id]
                if self.jobs.get(job_id).state is JobState.STARTING:
                    self.jobs.end(job_id, JobState.INTERRUPTED, error="job_interrupted")
        for job in self.jobs.claim():
            logger.info("starting job %s (%s)", job.id, job.kind)
            self._children[job.id] = spawn(self.home, job)

    def run(self, ended: threading.Event) -> None:
        """Tick until ``ended`` is set."""
        lock = FileLock(self.home.locks / "dispatcher.lock")
        while not ended.is_set():
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                continue
        else:
            return
        try:
            for job in self.jobs.page(active=True, limit=1000):
                self.jobs.unclaim(job.id)
            while not ended.is_set():
                try:
                    self.tick()
                except sqlite3.OperationalError as error:  # somebody holds the database for long: look again
                    logger.warning("the dispatcher waits: %s", error)
                time.sleep(TICK_SECONDS)
        finally:
            lock.release()


def is_dispatching(home: Home) -> bool:
    """Whether a dispatcher works for this home; without one, queued jobs wait."""
    lock = FileLock(home.locks / "dispatcher.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
