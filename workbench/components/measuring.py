"""Asking for figures: which runs to measure on which split; the five experiments and what they came to."""

from collections.abc import Iterable

import streamlit as st

from core.records import JobState, Run
from db.experiments import Datasets, Runs
from db.jobs import Jobs
from workbench.components.job_panel import start_job
from workbench.components.job_words import experiment_name
from workbench.components.quantities import duration
from workbench.components.recall_view import recall_view
from workbench.components.shell import App, t
from workbench.tasks.ablating import foreseen
from workbench.tasks.evaluating import measurable


def measuring(app: App, dataset: str) -> None:
    """Measure runs, or start the ablation."""
    filled = measurable(app.db, dataset)
    built = (dataset, Datasets(app.db).get(dataset).hash)
    made = [run for run in Runs(app.db).all() if run.summary and (run.dataset, run.dataset_hash) == built]
    experiments = experiments_of(made)
    runs = [run.name for run in made]
    own = [name for name in runs if name not in experiments]
    if not runs:
        st.info(t("results.no_runs"))
    chosen = st.multiselect(
        t("results.runs"),
        runs,
        own[:3],
        format_func=lambda name: marked(name, name in experiments),
        placeholder=t("shell.choose"),
        key=f"results-runs-{dataset}",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
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


def experiments_of(runs: Iterable[Run]) -> set[str]:
    """The names of those runs that one of the five experiments made."""
    return {run.name for run in runs if run.config.get("extra", {}).get("experiment")}


def marked(name: str, experiment: bool) -> str:
    """What a run is called, marked where an experiment made it."""
    return f"{name} · {t('results.experiment')}" if experiment else name


def ablation(app: App, dataset: str) -> None:
    """The table of the newest ablation on this dataset as it is built now."""
    built = Datasets(app.db).get(dataset).hash
    of_now = {run.job_id for run in Runs(app.db).all() if (run.dataset, run.dataset_hash) == (dataset, built)}
    done = [job for job in Jobs(app.db).page(kind="ablate") if job.state is JobState.DONE and job.id in of_now]
    if not done:
        return
    table = done[0].result["table"]
    st.subheader(t("results.ablation"))
    st.caption(t("results.ablation_note", split=t(f"splits.{table[0]['split']}")))
    way = st.segmented_control(
        t("results.direction"),
        ["t2i", "i2t"],
        default="t2i",
        required=True,
        format_func=lambda way: t(f"charts.{way}"),
        key="ablation-way",
        label_visibility="collapsed",
    )
    recall_view(
        [experiment_name(row["label"]) for row in table],
        table,
        way or "t2i",
        key=f"ablation-{way}-{done[0].id}",
        more={t("train.share"): [f"{row['trainable_percent']:.2f}" for row in table]},
    )


def start_experiments(app: App, dataset: str) -> None:
    """What the five experiments take, and the button that starts them."""
    trainings, seconds = foreseen(app.home, app.db, dataset)
    st.markdown(t("results.ablate_help"))
    time = t("results.ablate_time", time=duration(seconds)) if seconds else t("results.ablate_unknown")
    st.caption(f"{t('results.ablate_runs', count=trainings)} {time}")
    if st.button(t("results.ablate_start"), type="primary", icon=":material/science:"):
        job = start_job(app, "ablate", {"dataset": dataset}, key=f"ablate-{dataset}")
        st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})
