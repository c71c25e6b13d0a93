"""What a run will take, said before it starts: the trainable share at once, the rest when measured; missing weights."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.records import JobState
from db.jobs import Jobs
from workbench.components.job_panel import start_job, watch_job
from workbench.components.quantities import duration, gigabytes
from workbench.components.shell import App, plain, t
from workbench.components.train_form import Wanted
from workbench.tasks.models import weights
from workbench.tasks.options import train_params
from workbench.tasks.planning import download_for, hubs, job_for, notices_of, steps_an_epoch, trainable_of

FIGURE = 215
"""Pixels that a figure with its label takes in either language."""


def plan_view(app: App, wanted: Wanted, *, present: bool) -> None:
    """Share and steps at once; with the button also micro-batch, memory and time, for exactly these options."""
    for notice in notices_of(wanted.model, wanted.config):
        st.warning(t(f"warnings.{notice.code}", **notice.details), icon=":material/info:")
    params = train_params(wanted.dataset, wanted.model, wanted.config, device=app.settings.device)
    job = job_for(app.db, "plan", params)
    counted = trainable_of(wanted.model, wanted.config.lora if wanted.config.method == "lora" else None)
    with st.grid(min_column_width=FIGURE):
        if counted:
            st.metric(
                t("run_page.trainable"),
                f"{counted.trainable:,}",
                f"{counted.percent:.2f} %",
                delta_color="off",
                delta_arrow="off",
                help=t("plan.share_help", total=f"{counted.total:,}"),
            )
        steps = steps_an_epoch(app.db, wanted.dataset, wanted.config)
        st.metric(t("plan.steps"), f"{steps * wanted.config.epochs:,}", help=t("plan.steps_help", steps=f"{steps:,}"))
        if job and job.state is JobState.DONE:
            plan_figures(job.result)
    if job and job.state is JobState.DONE:
        st.caption(t("plan.note", device=job.result["device"]))
    elif job:
        watch_job(job.id)
    if (job is None or job.state is JobState.DONE) and st.button(
        t("plan.measure"), icon=":material/speed:", disabled=not present, help=t("plan.measure_help")
    ):
        fingerprint = json.dumps(params, sort_keys=True)
        start_job(app, "plan", params, key=f"plan-{fingerprint}")
        st.rerun()


def plan_figures(plan: Mapping[str, Any]) -> None:
    """What was measured of a plan, as figures for a grid."""
    st.metric(t("plan.micro_batch"), f"{plan['micro_batch']} / {plan['effective_batch']}", help=t("plan.micro_help"))
    alone = gigabytes(plan["peak_bytes"])
    if plan.get("process_bytes"):
        st.metric(t("plan.process"), gigabytes(plan["process_bytes"]), help=t("plan.process_help", alone=alone))
    else:
        # on a CPU: of a plan of an earlier version, or on Windows, which does not say what a process takes
        here = "tensors" if plan["device"] == "cpu" else "memory"
        st.metric(t(f"plan.{here}"), alone, help=t(f"plan.{here}_help"))
    st.metric(t("plan.epoch"), duration(plan["epoch_seconds"]))
    st.metric(t("plan.whole"), duration(plan["seconds"]))


def weights_view(app: App, model: str) -> bool:
    """Whether the weights of a base model are here; where not, which file is missing, and fetching it as a job."""
    row = next((row for row in weights(app.home) if row["model"] == model), None)
    if row is None or row["present"]:
        return True
    with st.container(border=True):
        said = {"model": row["model"], "file": row["file"], "folder": row["folder"]}
        st.warning(t("train.weights_missing", **{name: plain(text) for name, text in said.items()}))
        job = download_for(app.db, model)
        if job and job.state is not JobState.DONE:
            watch_job(job.id)
        if job is None or not job.state.active:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                names = hubs()
                source = st.selectbox(t("train.source"), list(names), format_func=lambda hub: names[hub], width=220)
                if st.button(t("train.download"), icon=":material/download:"):
                    job = start_job(app, "download", {"model": model, "source": source}, key=f"download-{model}")
                    st.rerun()
    return False


def waiting_view(app: App) -> None:
    """The training jobs that work or wait, each with the way to its page."""
    jobs = [job for job in reversed(Jobs(app.db).page(active=True, limit=1000)) if job.lane == "gpu"]
    if not jobs:
        return
    st.subheader(t("train.queue"))
    st.caption(t("train.queue_note"))
    for job in jobs:
        what = {"kind": t(f"jobs.kind.{job.kind}"), "state": t(f"jobs.state.{job.state.value}")}
        dataset = plain(str(job.params.get("dataset", "")))
        page = "pages/model/run.py" if job.kind == "train" else "pages/system/jobs.py"
        st.page_link(
            page,
            label=t("train.queued", id=job.id, dataset=dataset, **what),
            icon=":material/hourglass_top:",
            query_params={"job": str(job.id)},
        )
