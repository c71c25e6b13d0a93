"""Results: zero-shot against tuned, with gallery size, chance and 95 % intervals."""

import streamlit as st

from db.experiments import Datasets, Evaluations, Runs
from workbench.components.measuring import ablation, experiments_of, marked, measuring
from workbench.components.recall_view import recall_view
from workbench.components.shell import page, t
from workbench.components.strength import model_name, strengths_of_runs

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
    experiments = experiments_of(Runs(app.db).all())
    for split in sorted({record.split for record in fresh}):
        st.subheader(t(f"splits.{split}"))
        if split == "train":
            st.warning(t("results.on_train"))
        records = sorted((r for r in fresh if r.split == split), key=lambda r: (r.run, r.figures.get("strength", 1.0)))
        names = [marked(model_name(record), record.run in experiments) for record in records]
        for way in ("t2i", "i2t"):
            recall_view(names, [record.figures for record in records], way, key=f"{way}-{records[0].id}")
    if not fresh:
        st.info(t("results.none"))
    strengths_of_runs(app, dataset)
    ablation(app, dataset)
