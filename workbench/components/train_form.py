"""The training form: a preset for each purpose, and every option of a run, explained; as one configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import SongclipError
from core.records import Run
from db.experiments import Datasets
from workbench.components.limits import beyond
from workbench.components.shell import App, plain, sorry, t
from workbench.tasks.models import base_name, weights
from workbench.tasks.options import config_for, preset_names

if TYPE_CHECKING:
    from core.training.config import TrainConfig


@dataclass(frozen=True)
class Number:
    """A number's option: its name, its limits and how far a click on plus goes; ``lora``: of adapters alone."""

    name: str
    low: float
    high: float
    step: float
    form: str | None = None
    lora: bool = False


OPEN = (
    Number("epochs", 1, 10_000, 1),
    Number("batch", 2, 4096, 1),
    Number("accumulation", 1, 1024, 1),
    Number("rate", 1e-9, 1.0, 1e-5, "%.1e"),
    Number("rank", 1, 1024, 1, lora=True),
    Number("alpha", 0.01, 65_536.0, 1.0, lora=True),
)
REST = (
    Number("dropout", 0.0, 0.99, 0.05, lora=True),
    Number("layers", 0, 64, 1, lora=True),
    Number("weight_decay", 0.0, 10.0, 0.01),
    Number("warmup", 0.0, 0.99, 0.05),
    Number("clip_norm", 0.01, 1000.0, 0.5),
    Number("patience", 0, 10_000, 1),
    Number("memory_gb", 0.0, 4096.0, 0.5),
)
SEED = Number("seed", 0, 2**32 - 1, 1)
PARTS, TOWERS = ("q", "k", "v", "o", "mlp"), ("vision", "text")
STARTED_FROM = "train-started-from"
BEST_AT = ("sources", "texts", "both")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Wanted:
    """What the form asks for now."""

    dataset: str
    model: str
    config: "TrainConfig"


def key_of(name: str) -> str:
    """The session's key of an option."""
    return f"train-{name}"


def train_form(app: App, start: Run | None) -> Wanted | None:
    """Draw the form, filled with what suits the model or with the options of the run to ``start`` from.

    None for options that cannot be: why is said below the form.
    """
    datasets = [record.name for record in Datasets(app.db).all()]
    models = [row["model"] for row in weights(app.home)]
    here = [row["model"] for row in weights(app.home) if row["present"]]
    state = st.session_state
    own = start.model if start else state.get(key_of("model"))
    if own and own not in models:
        models.append(own)
    if key_of("epochs") not in state or (start and state.get(STARTED_FROM) != start.name):
        state[STARTED_FROM] = start.name if start else ""
        _begin(start, datasets, models, base_name(app.home, ""))
    if state[key_of("dataset")] not in datasets:
        state[key_of("dataset")] = datasets[0]
    purpose, choices = st.columns([2, 3], gap="large")
    with purpose:
        names = ["", *preset_names()]
        st.radio(
            t("train.preset"),
            names,
            format_func=lambda name: t(f"presets.{name or 'auto'}"),
            captions=[t(f"presets_about.{name or 'auto'}") for name in names],
            key=key_of("preset"),
            persist_state="session",
            on_change=_refill,
        )
    with choices:
        st.selectbox(t("train.dataset"), datasets, key=key_of("dataset"), persist_state="session")
        st.selectbox(
            t("train.model"),
            models,
            format_func=lambda name: name if name in here or name not in models else t("train.absent", model=name),
            key=key_of("model"),
            persist_state="session",
            on_change=_refill,
            help=t("train.model_help"),
        )
        st.segmented_control(
            t("train.method"),
            ["lora", "full"],
            format_func=lambda name: t(f"train.{name}"),
            key=key_of("method"),
            persist_state="session",
            on_change=_other_method,
            required=True,
            help=t("train.method_help"),
        )
        lora = state[key_of("method")] != "full"
        _numbers(OPEN, lora)
        st.segmented_control(
            t("train.texts"),
            ["one", "all"],
            format_func=lambda name: t(f"train.texts_{name}"),
            key=key_of("texts"),
            persist_state="session",
            required=True,
            help=t("train.texts_help"),
        )
        st.selectbox(
            t("train.best_at"),
            BEST_AT,
            format_func=lambda name: t(f"train.best_at_{name}"),
            key=key_of("best_at"),
            persist_state="session",
            help=t("train.best_at_help"),
        )
        _numbers((SEED,), lora)
    with st.expander(t("train.more"), icon=":material/tune:"):
        _rest(lora)
    wrong = out_of_limits()
    for sentence in wrong:
        st.error(sentence)
    if wrong:
        return None
    try:
        config = config_of(state[key_of("method")] or "lora")
    except SongclipError as error:
        st.error(sorry(error))
        return None
    _said(config)
    return Wanted(state[key_of("dataset")], state[key_of("model")], config)


def _begin(start: Run | None, datasets: list[str], models: list[str], model: str) -> None:
    state = st.session_state
    state[key_of("dataset")] = start.dataset if start and start.dataset in datasets else datasets[0]
    state[key_of("model")] = start.model if start else model if model in models else models[0]
    state[key_of("method")] = start.method if start else "lora"
    state[key_of("preset")] = None if start else ""
    if start is None:
        _refill()
        return
    from core.training.config import TrainConfig

    fill(TrainConfig.from_dict({name: value for name, value in start.config.items() if name != "extra"}))


def _suiting() -> "TrainConfig":
    state = st.session_state
    model, method, preset = (state[key_of(name)] for name in ("model", "method", "preset"))
    return config_for(model, method=method or "lora", preset=preset or "")


def _refill() -> None:
    """Another purpose or model: its own options, in place of what stood there; those of a run stay."""
    if st.session_state[key_of("preset")] is not None:
        fill(_suiting())


def _other_method() -> None:
    """Another method: its own options; among those of a run only the rate gives way, which never suits both."""
    if st.session_state[key_of("preset")] is None:
        st.session_state[key_of("rate")] = _suiting().learning_rate
    else:
        fill(_suiting())


def fill(config: "TrainConfig") -> None:
    """Put a configuration into the form."""
    lora = config.lora
    values: dict[str, Any] = {
        "epochs": config.epochs,
        "batch": config.batch_size,
        "accumulation": config.accumulation,
        "rate": config.learning_rate,
        "rank": lora.rank,
        "alpha": lora.alpha,
        "dropout": lora.dropout,
        # the last n blocks: the only choice that the form knows beside all of them
        "layers": len(lora.layers) if lora.layers else 0,
        "weight_decay": config.weight_decay,
        "warmup": config.warmup,
        "clip_norm": config.clip_norm,
        "patience": config.patience,
        "memory_gb": config.memory_gb,
        "seed": config.seed,
    }
    for number in (*OPEN, *REST, SEED):
        value = min(max(values[number.name], number.low), number.high)
        st.session_state[key_of(number.name)] = type(number.step)(value)
    others: dict[str, Any] = {
        "texts": config.texts_per_image,
        "targets": list(lora.targets),
        "towers": list(lora.towers),
        "rslora": lora.rslora,
        "augment": config.augment,
        "checkpointing": config.checkpointing,
        "precision": config.precision,
        "best_at": config.best_at,
    }
    for name, value in others.items():
        st.session_state[key_of(name)] = value


def config_of(method: str) -> "TrainConfig":
    """The configuration that stands in the form; raises InputError for one that cannot be."""
    from core.model.lora import LoraConfig
    from core.training.config import TrainConfig

    value = {name.removeprefix("train-"): value for name, value in st.session_state.items() if isinstance(name, str)}
    lora = LoraConfig(
        rank=value["rank"],
        alpha=value["alpha"],
        dropout=value["dropout"],
        rslora=value["rslora"],
        targets=tuple(part for part in PARTS if part in value["targets"]),
        towers=tuple(tower for tower in TOWERS if tower in value["towers"]),  # type: ignore[misc]
        layers=tuple(range(-value["layers"], 0)) or None,
    )
    return TrainConfig(
        method="full" if method == "full" else "lora",
        epochs=value["epochs"],
        batch_size=value["batch"],
        accumulation=value["accumulation"],
        texts_per_image=value["texts"] or "one",
        learning_rate=value["rate"],
        weight_decay=value["weight_decay"],
        warmup=value["warmup"],
        clip_norm=value["clip_norm"],
        precision=value["precision"],
        augment=value["augment"],
        patience=value["patience"],
        best_at=value["best_at"],
        checkpointing=value["checkpointing"],
        memory_gb=value["memory_gb"],
        seed=value["seed"],
        lora=lora,
    )


def out_of_limits() -> list[str]:
    """A sentence for each number in the form that lies beyond its limits."""
    state, numbers = st.session_state, (*OPEN, SEED, *REST)
    said = [beyond(t(f"train.{n.name}"), state[key_of(n.name)], n.low, n.high) for n in numbers]
    return [sentence for sentence in said if sentence]


def _numbers(numbers: Sequence[Number], lora: bool) -> None:
    with st.grid(min_column_width=150):
        for number in numbers:
            st.number_input(
                t(f"train.{number.name}"),
                step=number.step,
                format=number.form,
                key=key_of(number.name),
                persist_state="session",
                help=t(f"train.{number.name}_help"),
                disabled=number.lora and not lora,
            )


def _rest(lora: bool) -> None:
    for name, one, parts in (("targets", "part", PARTS), ("towers", "tower", TOWERS)):
        st.pills(
            t(f"train.{name}"),
            parts,
            selection_mode="multi",
            format_func=lambda part, one=one: t(f"train.{one}_{part}"),
            key=key_of(name),
            persist_state="session",
            help=t(f"train.{name}_help"),
            disabled=not lora,
        )
    _numbers(REST, lora)
    st.selectbox(
        t("train.precision"),
        PRECISIONS,
        format_func=lambda name: t(f"train.precision_{name}"),
        key=key_of("precision"),
        persist_state="session",
        help=t("train.precision_help"),
    )
    for name in ("rslora", "augment", "checkpointing"):
        disabled = name == "rslora" and not lora
        st.checkbox(
            t(f"train.{name}"),
            key=key_of(name),
            persist_state="session",
            help=t(f"train.{name}_help"),
            disabled=disabled,
        )


def _said(config: "TrainConfig") -> None:
    """What follows from the options: the batch that is contrasted, and how strong the adapters are."""
    batch = t("train.effective", batch=config.batch_size, parts=config.accumulation, whole=config.effective_batch)
    by = "scale_rs" if config.lora.rslora else "scale"
    scale = t(f"train.{by}", scale=f"{config.lora.scale:.3g}") if config.method == "lora" else ""
    st.caption(" ".join(part for part in (batch, plain(scale)) if part))
