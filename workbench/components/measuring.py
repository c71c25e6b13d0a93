"""Asking for figures: which runs to measure on which split, and the five experiments."""

import streamlit as st

from db.experiments import Datasets, Runs
from workbench.components.job_panel import start_job
from workbench.components.plan_view import duration
from workbench.components.shell import App, t
from workbench.tasks.ablating import foreseen
from workbench.tasks.evaluating import measurable


def measuring(app: App, dataset: str) -> None:
    """Measure runs, or start the ablation."""
    filled = measurable(app.db, dataset)
    built = (dataset, Datasets(app.db).get(dataset).hash)
    made = [run for run in Runs(app.db).all() if run.summary and (run.dataset, run.dataset_hash) == built]
    experiments = {run.name for run in made if run.config.get("extra", {}).get("experiment")}
    runs = [run.name for run in made]
    own = [name for name in runs if name not in experiments]
    if not runs:
        st.info(t("results.no_runs"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            t("results.runs"),
            runs,
            own[:3],
            format_func=lambda name: f"{name} · {t('results.experiment')}" if name in experiments else name,
            placeholder=t("shell.choose"),
            key=f"results-runs-{dataset}",
        )
        split = st.selectbox(t("dataset.split"), filled, format_func=lambda name: t(f"splits.{name}"), width=140)
        if st.button(t("results.measure"), type="primary", icon=":material/straighten:"):
            job = start_job(
                app, "evaluate", {"dataset": dataset, "runs": chosen, "split": split}, key=f"evaluate-{dataset}"
            )
            st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})
        with st.popover(t("results.ablate"), icon=":material/science:", disabled=filled == ["train"]):
            start_experiments(app, dataset)

    if filled[0] == "train":
        st.caption(t("results.no_held_out"))


def start_experiments(app: App, dataset: str) -> None:
    """What the five experiments take, and the button that starts them."""
    trainings, seconds = foreseen(app.home, app.db, dataset)
    st.markdown(t("results.ablate_help"))
    time = t("results.ablate_time", time=duration(seconds)) if seconds else t("results.ablate_unknown")
    st.caption(f"{t('results.ablate_runs', count=trainings)} {time}")
    if st.button(t("results.ablate_start"), type="primary", icon=":material/science:"):
        job = start_job(app, "ablate", {"dataset": dataset}, key=f"ablate-{dataset}")
        st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})
