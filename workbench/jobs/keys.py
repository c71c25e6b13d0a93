"""Keys that somebody typed: held in this process's memory, given to a job through a pipe, stored nowhere."""

import subprocess
import threading
import time

from core.records import JobState
from db.home import Home
from db.jobs import Jobs
from workbench.jobs.dispatching import spawn

TICK_SECONDS = 0.5

_lock = threading.Lock()
_held: dict[tuple[Home, int], str] = {}
_thread: threading.Thread | None = None


def hold(home: Home, job_id: int, key: str) -> None:
    """Keep the key until the job can begin; a restart of this process forgets it, and the job waits for a new one."""
    global _thread
    with _lock:
        _held[home, job_id] = key
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_begin_jobs, daemon=True)
            _thread.start()


def holds(home: Home, job_id: int) -> bool:
    """Whether the key of a waiting job is at hand."""
    return (home, job_id) in _held


def _begin_jobs() -> None:
    children: list[subprocess.Popen[bytes]] = []
    while True:
        children = [child for child in children if child.poll() is None]
        with _lock:
            waiting = dict(_held)
        for (home, job_id), key in waiting.items():
            jobs = Jobs(home.open())
            job = jobs.get(job_id)
            if job.state is JobState.QUEUED and jobs.claim_with_key(job_id):
                children.append(spawn(home, job, key))
            if job.state is not JobState.QUEUED or jobs.get(job_id).state is not JobState.QUEUED:
                with _lock:
                    _held.pop((home, job_id), None)
        time.sleep(TICK_SECONDS)
