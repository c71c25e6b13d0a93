"""What a model has learned from: its run, and the runs whose weights that one began with."""

from pathlib import Path

from sqlite_utils import Database

from core.records import Run
from db.experiments import Runs


def run_of_weights(db: Database, fingerprint: str, file: str = "") -> Run | None:
    """The run that made these weights; by their place in a run's folder where it is of an earlier version.

    A copy under any other name is found too, because the weights are the same.
    """
    runs = Runs(db).all()
    made = (run for run in runs if fingerprint and run.summary.get("fingerprint") == fingerprint)
    beside = (run for run in runs if file and Path(file).parent.name == run.name)
    return next(made, None) or next(beside, None)


def lineage(db: Database, run: Run) -> list[Run]:
    """The run and those whose weights it began with, the latest first."""
    found = [run]
    while True:
        last = found[-1]
        before = run_of_weights(db, last.summary.get("base_fingerprint", ""), last.model)
        if before is None or before.name in {each.name for each in found}:
            return found
        found.append(before)
