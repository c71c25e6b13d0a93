"""Measuring a model on a split, and keeping the figures."""

from typing import Any

from sqlite_utils import Database

from core.errors import InputError, NotFoundError
from core.progress import Progress
from core.records import DatasetRecord, Run
from db.experiments import Datasets, Evaluations, Runs
from db.home import Home
from workbench.jobs.kinds import JobContext
from workbench.tasks.datasets import record_of
from workbench.tasks.lineage import lineage, run_of_weights
from workbench.tasks.models import base_name, check_strength, load
from workbench.tasks.overlap import shared
from workbench.tasks.splits import Encoded, read_encoded


def measurable(db: Database, dataset: str) -> list[str]:
    """The splits of a dataset that hold pairs, the one to measure on first: test, valid, train."""
    splits = Datasets(db).get(dataset).manifest["splits"]
    return [name for name in ("test", "valid", "train") if splits.get(name, {}).get("pairs")]


def split_to_measure(db: Database, dataset: str, split: str) -> str:
    """The split asked for; without one test where there is one, else valid.

    Raises InputError ``split_missing`` naming those there are; figures on train would mean nothing and are only
    given when asked for by name.
    """
    filled = measurable(db, dataset)
    if split:
        if split not in filled:
            raise InputError("split_missing", name=dataset, split=split)
        return split
    held_out = [name for name in filled if name != "train"]
    if not held_out:
        raise InputError("no_held_out", name=dataset)
    return held_out[0]


def check_unseen(home: Home, db: Database, run: Run, record: DatasetRecord, split: str) -> None:
    """Refuse to examine a run in what it learned, or those whose weights it began with.

    On its own data the splits see to that.

    Raises InputError ``run_other_build`` for a run that learned from an earlier build of the dataset (what it saw may
    stand in a held-out split now), ``run_data_gone`` where what it learned from cannot be looked up any more,
    ``run_saw_it`` for another dataset whose split shares something with what it was trained and chosen on.
    """
    for learner in lineage(db, run):
        _check_learner(home, db, learner, record, split)


def _check_learner(home: Home, db: Database, run: Run, record: DatasetRecord, split: str) -> None:
    if (run.dataset, run.dataset_hash) == (record.name, record.hash):
        return
    if run.dataset == record.name:
        raise InputError("run_other_build", run=run.name, dataset=record.name)
    try:
        unchanged = record_of(home, db, run.dataset).hash == run.dataset_hash
    except NotFoundError:
        unchanged = False
    if not unchanged:
        raise InputError("run_data_gone", run=run.name, dataset=run.dataset)
    if shared(home, db, run.dataset, record.name, splits=("train", "valid"), other_splits=(split,)):
        raise InputError("run_saw_it", run=run.name, dataset=record.name, split=split, own=run.dataset)


def measure(
    home: Home,
    db: Database,
    dataset: str,
    *,
    split: str = "",
    model: str = "",
    run: str = "",
    strength: float = 1.0,
    progress: Progress,
    encoded: Encoded | None = None,
) -> dict[str, Any]:
    """Full-gallery Recall@K of a base model or a run, stored with the hash of the data it was measured on.

    ``strength`` is how much a run's tuning counts, 0 to 1; it is kept with the figures. Raises InputError as
    :func:`check_unseen`.
    """
    check_strength(strength, run)
    record = record_of(home, db, dataset)
    trained = Runs(db).get(run) if run else None
    split = split_to_measure(db, dataset, split)
    if trained:
        check_unseen(home, db, trained, record, split)
    loaded = load(home, db, model=model, run=run, strength=strength)
    if not trained and (maker := run_of_weights(db, loaded.fingerprint, base_name(home, model))):
        check_unseen(home, db, maker, record, split)
    base = trained.model if trained else base_name(home, model)
    encoded = encoded or read_encoded(home.datasets / dataset, split, loaded, progress)
    if encoded is None:
        raise InputError("split_missing", name=dataset, split=split)
    figures = {"strength": strength, **encoded.figures(loaded)}
    Evaluations(db).add(dataset=record, split=split, model=base, run=run, figures=figures)
    return {"run": run or None, "model": base, "dataset": dataset, "split": split, **figures}


def evaluate_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: measure the base model and each of ``runs`` on ``split`` of ``dataset``."""
    chosen = params.get("runs") or []
    results = []
    for done, run in enumerate(["", *chosen]):
        context.progress.report(done, len(chosen) + 1, "progress.evaluating")
        results.append(
            measure(
                context.home,
                context.db,
                params["dataset"],
                split=params.get("split", ""),
                model=params.get("model", "") if not run else "",
                run=run,
                progress=context.progress,
            )
        )
    return {"measured": [{"run": r["run"], "model": r["model"], "t2i": r["t2i"]["R@5"]} for r in results]}
