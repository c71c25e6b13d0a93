"""The charts that pages share, as Altair."""

from typing import Any

import altair as alt
import pandas as pd

from workbench.components.shell import t


def loss_chart(steps: list[dict[str, Any]]) -> alt.Chart:
    """Training loss by step."""
    frame = pd.DataFrame(steps)[["step", "epoch", "loss"]]
    return (
        alt.Chart(frame)
        .mark_line(color="#A4302A")
        .encode(
            x=alt.X("step:Q", title=t("charts.step")),
            y=alt.Y("loss:Q", title=t("charts.loss"), scale=alt.Scale(zero=False)),
            tooltip=["step", "epoch", alt.Tooltip("loss:Q", format=".3f")],
        )
        .properties(height=260)
    )


def recall_chart(epochs: list[dict[str, Any]]) -> alt.Chart:
    """Recall on the whole valid gallery by epoch, in per cent; epoch 0 is the model before tuning."""
    rows = [
        {"epoch": row["epoch"], "recall": row[way][name], "figure": f"{t(f'charts.{way}')} {name}"}
        for row in epochs
        if "t2i" in row
        for way in ("t2i", "i2t")
        for name in ("R@1", "R@5")
    ]
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("epoch:O", title=t("charts.epoch")),
            y=alt.Y("recall:Q", title=t("charts.recall"), scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("figure:N", title=None, legend=alt.Legend(orient="bottom", columns=2)),
            tooltip=["epoch", "figure", "recall"],
        )
        .properties(height=260)
    )


def comparison_chart(rows: list[dict[str, Any]]) -> alt.LayerChart:
    """Recall@K of several models with 95 % intervals and chance; rows: model, k, recall, low, high, chance."""
    frame = pd.DataFrame(rows)
    base = alt.Chart(frame).encode(y=alt.Y("model:N", title=None, sort=None))
    x = alt.X("recall:Q", title=t("charts.recall"), scale=alt.Scale(domain=[0, 100]))
    points = base.mark_point(filled=True, size=90).encode(
        x=x,
        color=alt.Color("model:N", legend=None, sort=None),
        tooltip=["model", "k", "recall", "low", "high", "chance"],
    )
    intervals = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=alt.Color("model:N", legend=None))
    chance = base.mark_tick(color="#8A8271", thickness=2).encode(x="chance:Q")
    layers: alt.LayerChart = (intervals + points + chance).properties(height=70 + 36 * frame["model"].nunique())
    return layers
