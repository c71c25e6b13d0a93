"""Training runs: queued, from a dataset to a tuned model, resumable, with what they wrote beside it."""

import hashlib
import importlib.metadata
import json
import logging
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.errors import ConflictError, InputError, ModelError
from core.progress import Progress
from core.records import Job, Run
from db.experiments import Runs
from db.home import Home
from db.jobs import Jobs
from workbench.jobs.kinds import JobContext
from workbench.tasks.datasets import record_of, verify
from workbench.tasks.finishing import asked_to_finish
from workbench.tasks.models import ADAPTER, FULL, base_name, check_base
from workbench.tasks.run_files import (
    METRICS,
    MetricsLog,
    answers,
    examples_of,
    memory_notes,
    read_metrics,
    run_log,
)
from workbench.tasks.splits import Encoded, read_encoded

if TYPE_CHECKING:
    from core.model.loading import LoadedModel
    from core.training.config import BestAt, TrainConfig
    from core.training.loop import TrainResult

MERGED = "merged.pt"
ROOT = Path(__file__).parents[2]

logger = logging.getLogger(__name__)


def made_by() -> dict[str, Any]:
    """What makes a run, for its record: versions of libraries, the code's commit where it is known, and threads."""
    import torch

    names = ("songclip-workbench", "torch", "cn-clip", "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "versions": versions | {"python": platform.python_version()},
        "code": _commit(),
        "threads": torch.get_num_threads(),
    }


def _commit() -> str:
    """The commit of a working copy, ``-dirty`` when it was changed since; empty for an installed package."""
    if not (ROOT / ".git").exists():
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    return ""


def queue_run(home: Home, db: Database, params: Mapping[str, Any]) -> Job:
    """Queue a training run; the job that does exactly this already, when it waits or works: a double click makes one.

    Raises NotFoundError for a dataset, ModelError for a base model that is not there, before anything is recorded.
    """
    from workbench.jobs.running import submit

    check_base(home, params.get("model", ""), params.get("device", ""))
    same = {**_identity(params), "hash": record_of(home, db, params["dataset"]).hash}
    key = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]
    jobs = Jobs(db)
    try:
        return submit(home, jobs, "train", dict(params), key=f"train-{key}")
    except ConflictError:
        active = jobs.page(kind="train", active=True, limit=1000)
        same_job = next((job for job in active if _identity(job.params) == _identity(params)), None)
        # it may have ended between the two looks
        return same_job or submit(home, jobs, "train", dict(params), key=f"train-{key}")


def _identity(params: Mapping[str, Any]) -> dict[str, Any]:
    said = {"dataset": params["dataset"], "model": params.get("model", ""), "options": params["options"]}
    return said | {"device": params.get("device", ""), "kinds": list(params.get("kinds", ()))}


def start_run(
    home: Home,
    db: Database,
    dataset: str,
    model: str,
    config: "TrainConfig",
    *,
    job_id: int | None,
    label: str = "",
    extra: dict[str, Any] | None = None,
) -> Run:
    """Record a run and make its folder; its configuration is frozen from here on.

    ``extra`` may hold ``kinds``, which restricts the captions it learns from, and what else belongs to its record.
    """
    record = record_of(home, db, dataset)
    run = Runs(db).add(
        dataset=record,
        model=base_name(home, model),
        method=config.method,
        config={**config.to_dict(), "extra": {**made_by(), **(extra or {})}},
        job_id=job_id,
        label=label or (f"lora-r{config.lora.rank}" if config.method == "lora" else "full"),
    )
    folder = home.experiments / run.name
    folder.mkdir(parents=True, exist_ok=True)
    frozen = {
        "run": run.name,
        "dataset": dataset,
        "dataset_hash": record.hash,
        "model": run.model,
        **run.config,
    }
    (folder / "config.json").write_text(json.dumps(frozen, ensure_ascii=False, indent=1), encoding="utf-8")
    return run


def carry_out(home: Home, db: Database, run: Run, progress: Progress, *, here: bool = False) -> dict[str, Any]:
    """Train a recorded run, going on from its last checkpoint when there is one, and write its model.

    ``here``: train no further, and write the best epoch there is.

    The best epoch is the one with the highest recall over the whole valid gallery, among the epochs trained; which
    recall that is, the run's configuration says (``best_at``).
    Raises InputError ``run_dataset_rebuilt`` when the dataset is no longer the one it began with, ``dataset_changed``
    when its files are not those that were built, ``run_folder_gone``.
    """
    from core.training.checkpoints import clear_unfinished

    if not here:
        if record_of(home, db, run.dataset).hash != run.dataset_hash:
            raise InputError("run_dataset_rebuilt", run=run.name, dataset=run.dataset)
        verify(home, db, run.dataset)
    folder = home.experiments / run.name
    gone = InputError("run_folder_gone", run=run.name, folder=str(folder))
    if not folder.is_dir():
        raise gone
    clear_unfinished(folder)  # before pictures are decoded anew, which may want the room
    try:
        with run_log(folder):
            summary = _best_so_far(home, run, folder) if here else _trained(home, run, folder, progress)
    except FileNotFoundError as error:
        if folder.is_dir():
            raise
        raise gone from error
    for file in folder.glob("pixels-*.npy"):
        with suppress(PermissionError):  # Windows, while something still looks at it
            file.unlink()
    Runs(db).finish(run.name, summary)
    return {"run": run.name, "path": str(folder), **summary}


def _trained(home: Home, run: Run, folder: Path, progress: Progress) -> dict[str, Any]:
    from core.training.checkpoints import LAST
    from core.training.config import TrainConfig
    from core.training.loop import train

    config = TrainConfig.from_dict({name: value for name, value in run.config.items() if name != "extra"})
    kinds = tuple(run.config["extra"].get("kinds", ()))
    model = _loaded(run.model, home.weights, run.config["extra"].get("device") or "auto")

    def split(name: str) -> Encoded | None:
        keep = folder / f"pixels-{name}-{model.spec.resolution}.npy"
        return read_encoded(home.datasets / run.dataset, name, model, progress, keep=keep)

    tuning = split("train")
    if tuning is None:
        raise InputError("split_missing", name=run.dataset, split="train")
    if kinds:
        tuning = tuning.only(kinds)
    valid = split("valid")
    last = folder / LAST
    resume = last if last.is_file() else None
    metrics = MetricsLog(folder / METRICS, fresh=resume is None)
    logger.info(
        "%s from %s on %s, %d pictures, %d refused pairs",
        "Going on" if resume else "Begun",
        run.model,
        model.device,
        len(tuning.pixels),
        sum(map(len, tuning.refused)),
    )

    def on_epoch(row: dict[str, Any]) -> None:
        metrics.epoch(row)
        logger.info(
            "Epoch %d: %s",
            row["epoch"],
            ", ".join(f"{name} {row[name]:.3f}" for name in ("loss", "mean_recall") if name in row),
        )

    result = train(
        model,
        tuning.training_data(),
        config,
        folder,
        valid=_validation(model, valid, folder, config.best_at) if valid else None,
        on_step=metrics.step,
        on_epoch=on_epoch,
        progress=progress,
        resume=resume,
    )
    metrics.complete(result.history)
    return _write_model(folder, model, config, result)


def _loaded(name: str, weights: Path, device: str) -> "LoadedModel":
    from core.model.loading import load_model
    from core.training.memory import out_of_memory

    try:
        return load_model(name, weights, device)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ModelError("memory_too_small", device=device) from error


def _best_so_far(home: Home, run: Run, folder: Path) -> dict[str, Any]:
    from core.model.lora import count_parameters
    from core.training.checkpoints import BEST, load_best
    from core.training.config import TrainConfig
    from core.training.loop import TrainResult
    from core.training.step import prepare

    config = TrainConfig.from_dict({name: value for name, value in run.config.items() if name != "extra"})
    model = _loaded(run.model, home.weights, "cpu")
    prepare(model, config)
    best = load_best(folder, model.clip, model.fingerprint)
    model.clip.eval()
    steps, epochs = read_metrics(folder)
    last = steps[-1] if steps else {}  # a damaged file holds none
    trained = max(best, *(row["epoch"] for row in epochs), 0)
    reported = {row["epoch"]: row.get("best", True) for row in epochs}
    # a killed process may have kept an epoch that it did not come to report
    if reported and not (reported.get(best, True) and best <= max(reported) + 1):
        said = max((epoch for epoch, good in reported.items() if good), default=0)
        raise InputError("checkpoint_other_epoch", file=BEST, held=best, best=said)
    trainable, total = count_parameters(model.clip)
    result = TrainResult(
        best_epoch=best,
        chosen_by="mean_recall" if any("mean_recall" in row for row in epochs) else "last",
        epochs=trained,
        ended_early=trained < config.epochs,
        steps=last.get("step", 0),
        trainable=trainable,
        total=total,
        seconds=last.get("seconds", 0.0),
        threads=run.config["extra"]["threads"],
        micro_batch=last.get("micro_batch", 0),
        history=epochs,
        notes=[{**note, "what": "micro_batch"} for note in memory_notes(steps)],
    )
    logger.info("Ended here by hand, after %d epochs, with epoch %d", trained, best)
    return {**_write_model(folder, model, config, result), "finished_here": True}


def best_recall(figures: Mapping[str, Any], best_at: "BestAt") -> float:
    """The mean of R@1, R@5 and R@10 that decides, in per cent; without texts of the sources all texts ask."""
    if best_at == "both":
        return float((figures["t2i"]["mean"] + figures["i2t"]["mean"]) / 2)
    asked = figures["kinds"].get("original", figures["t2i"]) if best_at == "sources" else figures["t2i"]
    return float(asked["mean"])


def _validation(model: "LoadedModel", valid: Encoded, folder: Path, best_at: "BestAt") -> Callable[[], dict[str, Any]]:
    examples = examples_of(folder, valid)

    def measure() -> dict[str, Any]:
        began = time.perf_counter()
        texts, images = valid.features(model)
        figures = valid.figures_of(texts, images)
        return {
            "mean_recall": best_recall(figures, best_at),
            "t2i": {name: figures["t2i"][name] for name in ("R@1", "R@5", "R@10")},
            "i2t": {name: figures["i2t"][name] for name in ("R@1", "R@5", "R@10")},
            "examples": answers(examples, texts, images, valid.image_ids),
            "valid_seconds": round(time.perf_counter() - began, 3),
        }

    return measure


def _write_model(folder: Path, model: "LoadedModel", config: "TrainConfig", result: "TrainResult") -> dict[str, Any]:
    from core.model.adapters import save_adapter
    from core.model.spec import RELEASED
    from core.model.weights import save_merged

    adapter, merged, weights = "", "", ""
    if config.method == "lora":
        save_adapter(folder / ADAPTER, model, config.lora)
        adapter = str(folder / ADAPTER)
    else:
        weights = save_merged(folder / FULL, model.clip, model.spec, model.fingerprint)
    if model.spec.name in RELEASED:
        weights = save_merged(folder / MERGED, model.clip, model.spec)
        merged = str(folder / MERGED)
    return {
        "adapter": adapter,
        "merged": merged,
        "base_fingerprint": model.fingerprint,
        "fingerprint": weights,
        "trainable": result.trainable,
        "total": result.total,
        "best_epoch": result.best_epoch,
        "chosen_by": result.chosen_by,
        "best_at": config.best_at,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 1),
        "threads": result.threads,
        "micro_batch": result.micro_batch,
        "ended_early": result.ended_early,
        "notes": result.notes,
    }


def train_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: train on ``dataset`` from ``model`` with ``options``; a resumed job goes on with its run, or finishes it
    (workbench/tasks/finishing.py).
    """
    from core.training.config import TrainConfig

    run = Runs(context.db).of_job(context.job_id)
    if run is None:
        config = TrainConfig.from_dict(params["options"])
        run = start_run(
            context.home,
            context.db,
            params["dataset"],
            params.get("model", ""),
            config,
            job_id=context.job_id,
            extra={name: params[name] for name in ("device", "kinds", "again") if params.get(name)},
        )
    here = asked_to_finish(context.home, run, Jobs(context.db).get(context.job_id))
    return carry_out(context.home, context.db, run, context.progress, here=here)
