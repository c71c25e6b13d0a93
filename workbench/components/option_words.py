"""The options of runs in the words of the training page, for tables that compare them."""

from collections.abc import Sequence
from typing import Any

from core.records import Run
from workbench.components.shell import t
from workbench.tasks.run_files import flat_options

FIELDS = {"batch_size": "batch", "texts_per_image": "texts", "learning_rate": "rate"}
"""Options that the page calls otherwise than the run's record; all others have one name."""
WORDS = {
    "method": "train.{}",
    "texts_per_image": "train.texts_{}",
    "best_at": "train.best_at_{}",
    "precision": "train.precision_{}",
    "towers": "train.tower_{}",
}
"""Options whose values are words of the page as well."""
NOTHING = "—"


def differing(runs: Sequence[Run]) -> dict[str, dict[str, str]]:
    """The options that are not the same in all runs: by name what each run has, as people read it."""
    options = {run.name: {"model": run.model, **flat_options(run.config)} for run in runs}
    names = dict.fromkeys(name for values in options.values() for name in values)
    found = {
        name: {run: option_value(name, values[name]) if name in values else NOTHING for run, values in options.items()}
        for name in names
    }
    return {name: values for name, values in found.items() if len(set(values.values())) > 1}


def option_name(name: str) -> str:
    """What the training page calls an option."""
    return t(f"train.{FIELDS.get(name, name)}")


def option_value(name: str, value: Any) -> str:
    """An option's value as people read it."""
    if name == "layers":
        return t("train.layers_last", count=len(value)) if value else t("train.layers_all")
    if isinstance(value, bool):
        return t("run_page.yes") if value else t("run_page.no")
    if isinstance(value, list | tuple):
        return " ".join(option_value(name, part) for part in value) or NOTHING
    if isinstance(value, float):
        return f"{value:g}"
    if value in (None, ""):
        return NOTHING
    return t(WORDS[name].format(value)) if name in WORDS else str(value)
