"""What is won and what is lost as the tuning counts more: figures along its strength from 0 to 1.

Small sets make other things worse. WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903) goes back part of the way from the
tuned to the base weights, which often keeps most of what was won and gives back most of what was lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from core.errors import InputError
from core.model.blend import Line
from core.model.lora import adapters, set_strength, strength
from core.progress import Progress, Silent, stop_if_asked

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Along(Generic[Figures]):
    """The figures measured at one strength."""

    strength: float
    figures: Figures


def recall_along(
    evaluate: Callable[[], Figures],
    clip: nn.Module,
    strengths: Sequence[float] = STRENGTHS,
    between: Line | None = None,
    progress: Progress | None = None,
) -> list[Along[Figures]]:
    """Measure the model at each strength with ``evaluate``, which knows the data: tuned for, untouched, or both.

    With adapters their strength is set; a fully tuned model is moved on the line ``between`` base and tuned weights.
    Afterwards, and after an error too, the model is as it was (fully tuned: at its tuned weights). Raises
    :class:`InputError` ``strength_range``, before anything is measured, or ``strength_nothing`` for a model that has
    neither.
    """
    for value in strengths:
        if not 0 <= value <= 1:
            raise InputError("strength_range", value=value)
    if between is None and not any(True for _ in adapters(clip)):
        raise InputError("strength_nothing")
    watcher, before = progress or Silent(), strength(clip)
    rows: list[Along[Figures]] = []
    try:
        for value in strengths:
            stop_if_asked(watcher)
            _set(clip, value, between)
            rows.append(Along(float(value), evaluate()))
            watcher.report(len(rows), len(strengths), "progress.strength")
    finally:
        _set(clip, before if between is None else 1.0, between)
    return rows


def _set(clip: nn.Module, value: float, between: Line | None) -> None:
    if between is None:
        set_strength(clip, value)
    else:
        between.put(clip, value)
