"""Ending a stopped training run where it stands: the best epoch so far becomes its model."""

from sqlite_utils import Database

from core.errors import ConflictError, InputError
from core.records import Job, Run
from db.experiments import Runs
from db.home import Home
from db.jobs import Jobs

ASKED = "finish-here"
"""A file in the run's folder with the number of the job's attempt that is to finish it: any other one trains on."""


def finish_here(home: Home, db: Database, name: str) -> Job:
    """Queue the job of a run again, to write the model of its best epoch and train no further.

    Neither the dataset nor the last checkpoint is needed. Raises InputError ``run_nothing_to_finish`` for a run that
    is finished, has finished no epoch, or is part of another job; ConflictError while its job waits or works.
    """
    from core.training.checkpoints import BEST

    run = Runs(db).get(name)
    job = Jobs(db).get(run.job_id) if run.job_id is not None else None
    best = home.experiments / name / BEST
    if run.summary or job is None or job.kind != "train" or not best.is_file():
        raise InputError("run_nothing_to_finish", run=name)
    if job.state.active:
        raise ConflictError("job_not_resumable", id=job.id)
    best.with_name(ASKED).write_text(str(job.attempt + 1), encoding="ascii")
    return Jobs(db).resume(job.id)


def asked_to_finish(home: Home, run: Run, job: Job) -> bool:
    """Whether this very attempt of the job is to finish the run."""
    file = home.experiments / run.name / ASKED
    return file.is_file() and file.read_text(encoding="ascii") == str(job.attempt)
