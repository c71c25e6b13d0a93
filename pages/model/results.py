"""Results: zero-shot against tuned, with gallery size, chance and 95 % intervals."""

from typing import Any

import pandas as pd
import streamlit as st

from core.records import EvaluationRecord, JobState
from db.experiments import Datasets, Evaluations
from db.jobs import Jobs
from workbench.components.charts import comparison_chart
from workbench.components.measuring import measuring
from workbench.components.shell import App, page, t
from workbench.components.strength import model_name, strengths_of_runs
from workbench.tasks.datasets import CAPTION_KINDS

KS = (1, 5, 10)


def rows_of(found: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The figures of one direction by the model's name, a row a model and K."""
    return [
        {
            "model": name,
            "k": f"R@{k}",
            "recall": figures[f"R@{k}"],
            "low": figures["ci"][f"R@{k}"][0],
            "high": figures["ci"][f"R@{k}"][1],
            "chance": figures["chance"][f"R@{k}"],
        }
        for name, figures in found
        for k in KS
    ]


def chosen_kind(records: list[EvaluationRecord], key: str) -> str:
    """Which captions ask: all, or one kind of them; the words of the sources first."""
    kinds = [kind for kind in CAPTION_KINDS if all(kind in record.figures.get("kinds", {}) for record in records)]
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


def direction(records: list[EvaluationRecord], way: str) -> None:
    """Table and chart of one direction."""
    key = f"{way}-{records[0].id}"
    kind = chosen_kind(records, key) if way == "t2i" else ""
    found = [(model_name(r), r.figures["kinds"][kind] if kind else r.figures[way]) for r in records]
    first = found[0][1]
    asks = t(f"captions.{kind}") if kind else t("results.every_kind")
    about = t(f"results.about_{way}", queries=first["queries"], gallery=first["gallery"], kind=asks)
    st.markdown(f"**{t(f'charts.{way}')}** · {about}")
    rows = rows_of(found)
    table: dict[str, list[str]] = {t("results.model"): [name for name, _ in found] + [t("results.chance")]}
    for k in KS:
        shown = [(figures[f"R@{k}"], *figures["ci"][f"R@{k}"]) for _, figures in found]
        table[f"R@{k}"] = [f"{value:.1f}  [{low:.1f}–{high:.1f}]" for value, low, high in shown]
        table[f"R@{k}"].append(f"{first['chance'][f'R@{k}']:.1f}")
    table[t("results.mean")] = [f"{figures['mean']:.1f}" for _, figures in found] + [f"{first['chance']['mean']:.1f}"]
    st.dataframe(pd.DataFrame(table), hide_index=True)
    chosen = st.segmented_control(
        "K",
        [f"R@{k}" for k in KS],
        default="R@5",
        required=True,
        key=f"k-{key}",
        label_visibility="collapsed",
    )
    st.altair_chart(comparison_chart([row for row in rows if row["k"] == chosen]), width="stretch")


def ablation(app: App, dataset: str) -> None:
    """The table of the newest ablation on this dataset."""
    done = [
        job
        for job in Jobs(app.db).page(kind="ablate")
        if job.state is JobState.DONE and job.result.get("dataset") == dataset
    ]
    if not done:
        return
    st.subheader(t("results.ablation"))
    rows = [
        {
            t("results.experiment"): t(f"experiments.{row['group']}"),
            t("results.model"): row["label"],
            t("train.share"): row["trainable_percent"],
            **{f"{t(f'charts.{way}')} R@{k}": row[way][f"R@{k}"] for way in ("t2i", "i2t") for k in KS},
        }
        for row in done[0].result["table"]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    st.caption(t("results.ablation_note"))


with page("results") as app:
    datasets = [record.name for record in Datasets(app.db).all()]
    if not datasets:
        st.info(t("train.no_dataset"))
        st.page_link("pages/model/dataset.py", label=t("pages.dataset"), icon=":material/dataset:")
        st.stop()
    asked = st.query_params.get("dataset", "")
    st.session_state.setdefault("results-dataset", asked if asked in datasets else datasets[0])
    dataset = st.selectbox(t("train.dataset"), datasets, key="results-dataset")
    st.query_params["dataset"] = dataset
    measuring(app, dataset)
    current_hash = Datasets(app.db).get(dataset).hash
    measured = [record for record in Evaluations(app.db).current() if record.dataset == dataset]
    stale = [record for record in measured if record.dataset_hash != current_hash]
    fresh = [record for record in measured if record.dataset_hash == current_hash]
    if stale:
        st.caption(t("results.stale", count=len(stale)))
    for split in sorted({record.split for record in fresh}):
        st.subheader(t(f"splits.{split}"))
        if split == "train":
            st.warning(t("results.on_train"))
        records = sorted((r for r in fresh if r.split == split), key=lambda r: (r.run, r.figures.get("strength", 1.0)))
        for way in ("t2i", "i2t"):
            direction(records, way)
    if not fresh:
        st.info(t("results.none"))
    strengths_of_runs(app, dataset)
    ablation(app, dataset)
