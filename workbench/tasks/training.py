"""Training runs: from a dataset to a tuned model, resumable, with its figures beside it."""

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.errors import InputError
from core.progress import Progress
from core.records import Run
from db.experiments import Runs
from db.home import Home
from workbench.jobs.kinds import JobContext
from workbench.tasks.datasets import record_of
from workbench.tasks.models import ADAPTER, FULL, base_name
from workbench.tasks.splits import Encoded, read_encoded

if TYPE_CHECKING:
    from core.model.loading import LoadedModel
    from core.training.config import TrainConfig
    from core.training.loop import TrainResult

METRICS = "metrics.jsonl"
MERGED = "merged.pt"


def config_for(
    model: str,
    *,
    method: str = "lora",
    preset: str = "",
    rank: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> "TrainConfig":
    """The options of a run: a preset (or what suits the model), with what was chosen by hand over it."""
    from dataclasses import replace

    from core.training.presets import default_config
    from core.training.presets import preset as preset_named

    config = preset_named(preset) if preset else default_config(model, "full" if method == "full" else "lora")
    config = replace(config, method="full" if method == "full" else "lora")
    if rank:
        # alpha follows the rank, so that a larger rank is not a smaller step
        scale = config.lora.alpha / config.lora.rank
        config = replace(config, lora=replace(config.lora, rank=rank, alpha=rank * scale))
    chosen: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "seed": seed}
    return replace(config, **{name: value for name, value in chosen.items() if value is not None})


def preset_names() -> list[str]:
    """The presets that can be chosen by name."""
    from core.training.presets import PRESETS

    return list(PRESETS)


def versions() -> dict[str, str]:
    """What made a run, for its record."""
    names = ("songclip-workbench", "torch", "cn-clip", "numpy")
    return {name: importlib.metadata.version(name) for name in names}


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
        config={**config.to_dict(), "extra": {"versions": versions(), **(extra or {})}},
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


def carry_out(home: Home, db: Database, run: Run, progress: Progress) -> dict[str, Any]:
    """Train a recorded run, going on from its last checkpoint when there is one, and write its model.

    The best epoch is the one with the highest mean recall over the whole valid gallery, among the epochs trained.
    """
    from core.model.loading import load_model
    from core.training.checkpoints import LAST
    from core.training.config import TrainConfig
    from core.training.data import TrainingData
    from core.training.loop import train

    folder = home.experiments / run.name
    config = TrainConfig.from_dict({name: value for name, value in run.config.items() if name != "extra"})
    kinds = tuple(run.config["extra"].get("kinds", ()))
    model = load_model(run.model, home.weights, run.config["extra"].get("device") or "auto")
    tuning = read_encoded(home.datasets / run.dataset, "train", model, progress)
    if tuning is None:
        raise InputError("split_missing", name=run.dataset, split="train")
    if kinds:
        tuning = tuning.only(kinds)
    valid = read_encoded(home.datasets / run.dataset, "valid", model, progress)
    last = folder / LAST
    log = _metrics_log(folder / METRICS, fresh=not last.is_file())
    result = train(
        model,
        TrainingData(tuning.pixels, tuning.texts, tuning.text_images),
        config,
        folder,
        valid=_validation(model, valid) if valid else None,
        on_step=lambda row: log({"kind": "step", **row}),
        on_epoch=lambda row: log({"kind": "epoch", **row}),
        progress=progress,
        resume=last if last.is_file() else None,
    )
    summary = _write_model(folder, model, config, result)
    Runs(db).finish(run.name, summary)
    return {"run": run.name, "path": str(folder), **summary}


def _validation(model: "LoadedModel", valid: Encoded) -> Callable[[], dict[str, Any]]:
    def measure() -> dict[str, Any]:
        figures = valid.evaluate(model).to_json()
        return {
            "mean_recall": (figures["t2i"]["mean"] + figures["i2t"]["mean"]) / 2,
            "t2i": {name: figures["t2i"][name] for name in ("R@1", "R@5", "R@10")},
            "i2t": {name: figures["i2t"][name] for name in ("R@1", "R@5", "R@10")},
        }

    return measure


def _metrics_log(file: Path, *, fresh: bool) -> Callable[[dict[str, Any]], None]:
    if fresh:
        file.unlink(missing_ok=True)

    def write(row: dict[str, Any]) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    return write


def _write_model(folder: Path, model: "LoadedModel", config: "TrainConfig", result: "TrainResult") -> dict[str, Any]:
    from core.model.adapters import save_adapter
    from core.model.spec import RELEASED
    from core.model.weights import save_merged

    adapter, merged = "", ""
    if config.method == "lora":
        save_adapter(folder / ADAPTER, model, config.lora)
        adapter = str(folder / ADAPTER)
    else:
        save_merged(folder / FULL, model.clip, model.spec)
    if model.spec.name in RELEASED:
        save_merged(folder / MERGED, model.clip, model.spec)
        merged = str(folder / MERGED)
    return {
        "adapter": adapter,
        "merged": merged,
        "trainable": result.trainable,
        "total": result.total,
        "best_epoch": result.best_epoch,
        "chosen_by": result.chosen_by,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 1),
        "threads": result.threads,
        "micro_batch": result.micro_batch,
        "ended_early": result.ended_early,
        "notes": result.notes,
    }


def read_metrics(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The steps and the epochs of a run so far; a resumed run's repeated steps appear once, as they were last."""
    steps: dict[int, dict[str, Any]] = {}
    epochs: dict[int, dict[str, Any]] = {}
    file = folder / METRICS
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line being written at this moment, or when the process was killed
            if row.pop("kind") == "step":
                steps[row["step"]] = row
            else:
                epochs[row["epoch"]] = row
    return [steps[key] for key in sorted(steps)], [epochs[key] for key in sorted(epochs)]


def train_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: train on ``dataset`` from ``model`` with ``options``; a resumed job goes on with its run."""
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
            extra={"device": params.get("device", "")},
        )
    return carry_out(context.home, context.db, run, context.progress)
