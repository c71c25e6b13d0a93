"""Recall of several models side by side: which texts ask, a table with intervals and chance, and a chart."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from workbench.components.charts import comparison_chart
from workbench.components.shell import t
from workbench.tasks.datasets import CAPTION_KINDS

KS = (1, 5, 10)
Figures = Mapping[str, Any]
"""What was measured of one model, as :meth:`workbench.tasks.splits.Encoded.figures_of` gives it."""


def recall_view(
    names: Sequence[str],
    measured: Sequence[Figures],
    way: str,
    *,
    key: str,
    more: Mapping[str, list[str]] | None = None,
) -> None:
    """Table and chart of one ``way`` (t2i or i2t) on the same queries; ``more`` are columns beside the names."""
    kind = _chosen_kind(measured, key) if way == "t2i" else ""
    found = [each["kinds"][kind] if kind else each[way] for each in measured]
    first = found[0]
    asks = t(f"captions.{kind}") if kind else t("results.every_kind")
    about = t(f"results.about_{way}", queries=first["queries"], gallery=first["gallery"], kind=asks)
    st.markdown(f"**{t(f'charts.{way}')}** · {about}")
    st.dataframe(_table(names, found, more or {}), hide_index=True, height="content")
    chosen = st.segmented_control(
        "K",
        [f"R@{k}" for k in KS],
        default="R@5",
        required=True,
        key=f"k-{key}",
        label_visibility="collapsed",
    )
    st.altair_chart(comparison_chart(_rows(names, found, chosen or "R@5")), width="stretch")


def _chosen_kind(measured: Sequence[Figures], key: str) -> str:
    """Which captions ask: all, or one kind of them; the words of the sources first."""
    kinds = [kind for kind in CAPTION_KINDS if all(kind in each.get("kinds", {}) for each in measured)]
    if len(kinds) < 2:
        return ""
    chosen = st.segmented_control(
        t("results.queries"),
        [*kinds, ""],
        default=kinds[0],
        required=True,
        format_func=lambda kind: t(f"captions.{kind}") if kind else t("filters.all"),
        key=f"kind-{key}",
    )
    return chosen or ""


def _table(names: Sequence[str], found: Sequence[Figures], more: Mapping[str, list[str]]) -> pd.DataFrame:
    """A line a model, and chance."""
    chance = found[0]["chance"]
    table = {t("results.model"): [*names, t("results.chance")]}
    table |= {name: [*values, ""] for name, values in more.items()}
    for figure in (f"R@{k}" for k in KS):
        shown = [(each[figure], *each["ci"][figure]) for each in found]
        table[figure] = [f"{value:.1f}  [{low:.1f}–{high:.1f}]" for value, low, high in shown]
        table[figure].append(f"{chance[figure]:.1f}")
    table[t("results.mean")] = [f"{each['mean']:.1f}" for each in (*found, {"mean": chance["mean"]})]
    return pd.DataFrame(table)


def _rows(names: Sequence[str], found: Sequence[Figures], figure: str) -> list[dict[str, Any]]:
    return [
        {
            "model": name,
            "k": figure,
            "recall": each[figure],
            "low": each["ci"][figure][0],
            "high": each["ci"][figure][1],
            "chance": each["chance"][figure],
        }
        for name, each in zip(names, found, strict=True)
    ]
