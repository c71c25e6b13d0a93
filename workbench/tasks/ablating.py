"""The five experiments: zero-shot, full fine-tune, LoRA, caption kinds (prompt), and rank.

Each changes one thing against the LoRA run and is measured on the same held-out queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.progress import Progress, stop_if_asked
from core.records import DatasetRecord
from db.experiments import Runs
from db.home import Home
from workbench.jobs.kinds import JobContext
from workbench.tasks.datasets import record_of
from workbench.tasks.evaluating import measure, split_to_measure
from workbench.tasks.models import base_name
from workbench.tasks.options import config_for
from workbench.tasks.training import carry_out, start_run

if TYPE_CHECKING:
    from core.training.config import TrainConfig

RANKS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Experiment:
    """One row of the table; without ``config`` the base model as it is. ``kinds`` restricts the captions."""

    group: str
    label: str
    config: "TrainConfig | None" = None
    kinds: tuple[str, ...] = ()


def experiments(model: str, kinds: tuple[str, ...], epochs: int | None) -> Iterator[Experiment]:
    """The experiments for a base model on a dataset with these kinds of caption."""
    lora = config_for(model, epochs=epochs)
    yield Experiment("zero-shot", "zero-shot")
    yield Experiment("full", "full", config_for(model, method="full", epochs=epochs))
    yield Experiment("lora", f"lora-r{lora.lora.rank}", lora)
    for kind in kinds:
        if len(kinds) > 1:
            yield Experiment("prompt", f"only-{kind}", lora, (kind,))
    for rank in RANKS:
        if rank != lora.lora.rank:
            yield Experiment("rank", f"rank-{rank}", config_for(model, rank=rank, epochs=epochs))


def foreseen(home: Home, db: Database, dataset: str, model: str = "") -> tuple[int, float | None]:
    """How many trainings the experiments are, and about how many seconds, going by earlier runs of the same model.

    The time is None where no run of the model on this build of the dataset was finished.
    """
    record, name = record_of(home, db, dataset), base_name(home, model)
    planned = [each.config for each in experiments(name, _kinds(record), None) if each.config]
    paces = [
        run.summary["seconds"] / run.summary["epochs"]
        for run in Runs(db).all()
        if run.summary.get("epochs") and (run.model, run.dataset, run.dataset_hash) == (name, dataset, record.hash)
    ]
    if not paces:
        return len(planned), None
    return len(planned), sum(paces) / len(paces) * sum(config.epochs for config in planned)


def _kinds(record: DatasetRecord) -> tuple[str, ...]:
    return tuple(kind for kind, made in record.manifest["captions"]["made"].items() if made)


def ablate(
    home: Home,
    db: Database,
    dataset: str,
    *,
    model: str = "",
    epochs: int | None = None,
    job_id: int | None = None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Carry out all experiments that have not been carried out yet, and return the table.

    An experiment whose run exists under the same job is gone on with, so that a resumed ablation repeats nothing.
    """
    name = base_name(home, model)
    record = record_of(home, db, dataset)
    split = split_to_measure(db, dataset, "")
    plan = list(experiments(name, _kinds(record), epochs))
    earlier = {
        run.config["extra"].get("experiment"): run
        for run in Runs(db).all()
        if job_id and run.job_id == job_id and run.dataset_hash == record.hash
    }
    table = []
    for done, experiment in enumerate(plan):
        stop_if_asked(progress)
        progress.report(done, len(plan), "progress.ablating", name=experiment.label)
        run_name, trainable = "", 0.0
        if experiment.config:
            run = earlier.get(experiment.label) or start_run(
                home,
                db,
                dataset,
                name,
                experiment.config,
                job_id=job_id,
                label=experiment.label,
                extra={"experiment": experiment.label, "kinds": list(experiment.kinds)},
            )
            summary = run.summary or carry_out(home, db, run, _Quiet(progress))
            run_name, trainable = run.name, 100 * summary["trainable"] / summary["total"]
        figures = measure(
            home,
            db,
            dataset,
            split=split,
            model="" if run_name else name,
            run=run_name,
            progress=_Quiet(progress),
        )
        table.append(
            {
                "group": experiment.group,
                "label": experiment.label,
                "trainable_percent": round(trainable, 3),
                **figures,
            }
        )
    return table


class _Quiet:
    """Hears whether to stop, but leaves the report to the ablation."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        pass

    def should_stop(self) -> bool:
        return self._outer.should_stop()


def ablate_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: the five experiments on ``dataset`` with base ``model``."""
    table = ablate(
        context.home,
        context.db,
        params["dataset"],
        model=params.get("model", ""),
        epochs=params.get("epochs"),
        job_id=context.job_id,
        progress=context.progress,
    )
    return {"dataset": params["dataset"], "table": table}
