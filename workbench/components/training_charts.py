"""The charts of a run as Altair: loss, rate, memory and throughput by step; recall by epoch, of one run or more."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from workbench.components.quantities import GB
from workbench.components.shell import t

Row = dict[str, Any]

HEIGHT, LOW, LEGEND, LEGEND_LINE = 320, 200, 80, 24
POINTS = 1000
"""A line of more points says no more on a screen and makes each look at a running job slower."""


def thinned(rows: Sequence[Row]) -> list[Row]:
    """At most about :data:`POINTS` of the rows, evenly, the last one among them."""
    step = -(-len(rows) // POINTS) if rows else 1
    return list(rows[::-1][::step][::-1])


def loss_chart(steps: Sequence[Row]) -> alt.Chart:
    """Training loss by step."""
    return _by_step(steps, {"loss": "loss"}, t("charts.loss"), ".3f", HEIGHT + LEGEND)


def rate_chart(steps: Sequence[Row]) -> alt.Chart:
    """Learning rate by step: warm-up, then half a cosine."""
    return _by_step(steps, {"lr": "lr"}, t("charts.rate"), ".1e", LOW)


def speed_chart(steps: Sequence[Row]) -> alt.Chart:
    """Pictures and texts a second."""
    lines = {"images_per_second": t("charts.images"), "texts_per_second": t("charts.texts")}
    return _by_step(steps, lines, t("charts.speed"), ".1f", LOW)


def memory_chart(steps: Sequence[Row]) -> alt.Chart | None:
    """The peak of memory so far in GB: of the card, else of the process; None where the system does not say."""
    rows = [{**row, "memory": row["memory"] / GB} for row in steps if row.get("memory")]
    return _by_step(rows, {"memory": "memory"}, t("charts.memory"), ".2f", LOW) if rows else None


def _by_step(steps: Sequence[Row], lines: Mapping[str, str], title: str, form: str, height: int) -> alt.Chart:
    frame = pd.DataFrame(
        [
            {"step": row["step"], "epoch": row["epoch"], "value": row[name], "figure": label}
            for row in thinned(steps)
            for name, label in lines.items()
            if name in row  # a run of an earlier version measured less
        ]
    )
    encoding: dict[str, Any] = {
        "x": alt.X("step:Q", title=t("charts.step"), axis=alt.Axis(tickMinStep=1, format="d")),
        "y": alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=form)),
        "tooltip": ["step", "epoch", alt.Tooltip("value:Q", title=title, format=form)],
    }
    if len(lines) > 1:
        encoding["color"] = alt.Color("figure:N", title=None, sort=None, legend=alt.Legend(orient="top"))
        return alt.Chart(frame).mark_line().encode(**encoding).properties(height=height)
    return alt.Chart(frame).mark_line(color="#A4302A").encode(**encoding).properties(height=height)


def recall_chart(epochs: Sequence[Row]) -> alt.Chart:
    """Recall on the whole valid gallery by epoch, in per cent; epoch 0 is the model before tuning.

    Among them the mean by which the best epoch is chosen.
    """
    rows = [
        {"epoch": row["epoch"], "recall": row["mean_recall"], "figure": t("charts.decides")}
        for row in epochs
        if "mean_recall" in row
    ]
    rows += [
        {"epoch": row["epoch"], "recall": row[way][name], "figure": f"{t(f'charts.{way}')} {name}"}
        for row in epochs
        if "t2i" in row
        for way in ("t2i", "i2t")
        for name in ("R@1", "R@5")
    ]
    return _recall(rows, t("charts.recall"), columns=2).properties(height=HEIGHT + LEGEND)


def runs_chart(runs: Mapping[str, Sequence[Row]]) -> alt.Chart:
    """The mean recall of several runs by epoch, in per cent, a line each."""
    rows = [
        {"epoch": row["epoch"], "recall": row["mean_recall"], "figure": name}
        for name, epochs in runs.items()
        for row in epochs
        if "mean_recall" in row
    ]
    # the legend has a line for each run and takes its room from the chart
    return _recall(rows, t("charts.mean_recall"), columns=1).properties(height=HEIGHT + LEGEND_LINE * len(runs))


def _recall(rows: list[Row], title: str, *, columns: int) -> alt.Chart:
    return (
        alt.Chart(pd.DataFrame(rows, columns=["epoch", "recall", "figure"]))
        .mark_line(point=True)
        .encode(
            x=alt.X("epoch:Q", title=t("charts.epoch"), axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("recall:Q", title=title, scale=alt.Scale(zero=False, nice=True)),
            color=alt.Color("figure:N", title=None, sort=None, legend=alt.Legend(orient="top", columns=columns)),
            tooltip=["epoch", "figure", alt.Tooltip("recall:Q", format=".1f")],
        )
        .properties(height=HEIGHT)
    )
