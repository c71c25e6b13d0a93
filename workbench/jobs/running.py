"""Running one job: hold its lock, do its task, and bring its row to exactly one end."""

import logging
import sys
import time
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

from filelock import FileLock, Timeout

from core.errors import SongclipError, Stopped
from core.progress import Progress
from core.records import Job, JobState
from db.home import Home
from db.jobs import Jobs
from db.refusals import refusal
from workbench.jobs.kinds import KINDS, JobContext

REPORT_SECONDS = 0.3
LOCK_SECONDS = 10.0
START_SECONDS = 60.0

logger = logging.getLogger(__name__)


def lock_of(home: Home, job_id: int) -> FileLock:
    """The lock that a job's process holds while it lives; a PID would prove nothing."""
    return FileLock(home.locks / f"job-{job_id}.lock")


def is_alive(home: Home, job_id: int) -> bool:
    """Whether some process holds the job's lock."""
    lock = lock_of(home, job_id)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


class JobProgress:
    """Writes a task's progress to its row, not more often than a reader could see."""

    def __init__(self, jobs: Jobs, job_id: int, beside: Progress | None = None) -> None:
        self._jobs, self._id, self._beside = jobs, job_id, beside
        self._reported = self._asked = 0.0
        self._stop = False
        self._pending: tuple[int, int, str, dict[str, Any]] | None = None

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        """See :class:`core.progress.Progress`."""
        if self._beside:
            self._beside.report(done, total, message, **details)
        self._pending = (done, total, message, details)
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was reported last."""
        if self._pending:
            self._jobs.report(self._id, *self._pending)
            self._pending = None
            self._reported = time.monotonic()

    def should_stop(self) -> bool:
        """See :class:`core.progress.Progress`; asks the row at most every third of a second."""
        if not self._stop and time.monotonic() - self._asked >= REPORT_SECONDS:
            self._asked = time.monotonic()
            self._stop = self._jobs.beat(self._id)
        return self._stop


def run_job(home: Home, job_id: int, *, beside: Progress | None = None, key: str = "") -> Job:
    """Do the job in this process and return its row as it ended.

    Returns the row untouched when another process has it. An error people can meet ends it as ``failed`` with its
    sentence; any other error too, with its traceback in the log.
    """
    db = home.open()
    jobs = Jobs(db)
    lock = lock_of(home, job_id)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        return jobs.get(job_id)
    try:
        if jobs.begin(job_id):
            _work(home, jobs, job_id, beside, key)
    finally:
        lock.release()
    return jobs.get(job_id)


def _work(home: Home, jobs: Jobs, job_id: int, beside: Progress | None, key: str) -> None:
    job = jobs.get(job_id)
    progress = JobProgress(jobs, job_id, beside)
    context = JobContext(home, jobs.db, progress, job_id, key)
    try:
        # Libraries print to standard output, which belongs to the one JSON document of a command.
        with redirect_stdout(sys.stderr):
            result = KINDS[job.kind].task()(context, job.params)
        progress.flush()
        jobs.end(job_id, JobState.DONE, result=result)
    except Stopped:
        progress.flush()
        jobs.end(job_id, JobState.CANCELLED)
    except SongclipError as error:
        logger.warning("job %s failed: %s", job_id, error.code)
        progress.flush()
        jobs.end(job_id, JobState.FAILED, error=error.code, error_details=error.details)
    except KeyboardInterrupt:
        jobs.end(job_id, JobState.CANCELLED)
        raise
    except Exception as error:
        logger.exception("job %s broke", job_id)
        known = refusal(error, home.path) or SongclipError("unexpected", kind=type(error).__name__)
        jobs.end(job_id, JobState.FAILED, error=known.code, error_details=known.details)


def submit(home: Home, jobs: Jobs, kind: str, params: dict[str, Any], *, key: str = "", needs_key: bool = False) -> Job:
    """Queue a job for the dispatcher of this home, or for the process that holds its provider's key."""
    return jobs.submit(kind, KINDS[kind].lane, params, key=key, needs_key=needs_key)


def run_in_foreground(
    home: Home, kind: str, params: dict[str, Any], progress: Progress, *, key: str = "", only_one: str = ""
) -> Job:
    """Record a job and do it in this very process, as the command line does; raises the error it failed with.

    Raises ConflictError when the same work is under way already (``only_one`` names it): two annotation jobs at once
    would ask, and pay, twice.
    """
    jobs = Jobs(home.open())
    recover(home, jobs)
    job = jobs.submit(kind, KINDS[kind].lane, params, key=only_one, running=True)
    ended = run_job(home, job.id, beside=progress, key=key)
    if ended.state is JobState.FAILED:
        raise SongclipError(ended.error, **ended.error_details)
    if ended.state is not JobState.DONE:
        raise Stopped
    return ended


def recover(home: Home, jobs: Jobs) -> int:
    """Mark jobs whose process is gone as interrupted; returns how many.

    A running row needs a held lock. A row that is starting has a minute to begin: its process is still loading.
    """
    late = (datetime.now(UTC) - timedelta(seconds=START_SECONDS)).isoformat(timespec="milliseconds")
    lost = [
        job
        for job in jobs.page(active=True, limit=1000)
        if (job.state is JobState.RUNNING or (job.state is JobState.STARTING and _claimed_at(job) < late))
        and not is_alive(home, job.id)
    ]
    # Read again: between the two looks the job may have ended properly and let its lock go.
    ended = [job for job in lost if jobs.end(job.id, JobState.INTERRUPTED, error="job_interrupted")]
    for job in ended:
        logger.warning("job %s (%s) was interrupted", job.id, job.kind)
    return len(ended)


def _claimed_at(job: Job) -> str:
    return max(job.heartbeat_at, job.created_at)
