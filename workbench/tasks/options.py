"""The options of a training run: from a preset and what was chosen by hand, and as a job's row keeps them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.records import Run

if TYPE_CHECKING:
    from core.training.config import TrainConfig


def config_for(
    model: str,
    *,
    method: str = "lora",
    preset: str = "",
    rank: int | None = None,
    alpha: float | None = None,
    dropout: float | None = None,
    targets: Sequence[str] | None = None,
    towers: Sequence[str] | None = None,
    layers: int | None = None,
    texts: str | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    accumulation: int | None = None,
    patience: int | None = None,
    best_at: str | None = None,
    memory: float | None = None,
    seed: int | None = None,
) -> "TrainConfig":
    """The options of a run: a preset (or what suits the model), with what was chosen by hand over it.

    Alpha follows a rank chosen alone, so that a larger rank is not a smaller step. A full fine-tune takes its own rate,
    whatever the preset: that of adapters would make it forget. ``layers`` counts the last ones of each tower, 0 means
    all; ``memory`` in GB. Raises InputError for a preset that is unknown or an option that cannot be.
    """
    from dataclasses import replace

    from core.training.presets import default_config
    from core.training.presets import preset as preset_named

    suits = default_config(model, "full" if method == "full" else "lora")
    config = preset_named(preset) if preset else suits
    if method == "full":
        config = replace(config, method="full", learning_rate=suits.learning_rate)
    lora: dict[str, Any] = {"rank": rank, "alpha": alpha, "dropout": dropout}
    if rank and alpha is None:
        lora["alpha"] = rank * config.lora.alpha / config.lora.rank
    lora |= {name: tuple(parts) for name, parts in (("targets", targets), ("towers", towers)) if parts is not None}
    chosen: dict[str, Any] = {
        "texts_per_image": texts,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "accumulation": accumulation,
        "patience": patience,
        "best_at": best_at,
        "memory_gb": memory,
        "seed": seed,
    }
    config = replace(config, lora=replace(config.lora, **_given(lora)))
    if layers is not None:
        config = replace(config, lora=replace(config.lora, layers=tuple(range(-layers, 0)) or None))
    return replace(config, **_given(chosen))


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if value is not None}


def preset_names() -> list[str]:
    """The presets that can be chosen by name."""
    from core.training.presets import PRESETS

    return list(PRESETS)


def train_params(dataset: str, model: str, config: "TrainConfig", **more: Any) -> dict[str, Any]:
    """What a job of kind train is asked to do, as its row keeps it."""
    params: dict[str, Any] = json.loads(
        json.dumps({"dataset": dataset, "model": model, "options": config.to_dict(), **more})
    )
    return params


def params_again(run: Run, *, seed: int | None = None) -> dict[str, Any]:
    """The same run once more: its frozen options, captions and device, with its seed or another."""
    options = {name: value for name, value in run.config.items() if name != "extra"}
    extra = run.config.get("extra", {})
    return {
        "dataset": run.dataset,
        "model": run.model,
        "options": options if seed is None else {**options, "seed": seed},
        "device": extra.get("device", ""),
        "kinds": list(extra.get("kinds", ())),
        "again": run.name,
    }
