"""The charts that pages share, as Altair."""

from typing import Any

import altair as alt
import pandas as pd

from workbench.components.shell import t


def comparison_chart(rows: list[dict[str, Any]]) -> alt.LayerChart:
    """Recall@K of several models with 95 % intervals and chance; rows: model, k, recall, low, high, chance."""
    frame = pd.DataFrame(rows)
    base = alt.Chart(frame).encode(y=alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=320)))
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
