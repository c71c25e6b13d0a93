"""Jobs: all of them, or one as it goes."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from core.records import Job, JobState
from db.experiments import Runs
from db.jobs import Jobs
from workbench.components.annotate_job import ask_for_key, passage_states, passages_of_job
from workbench.components.job_panel import resume_button, watch_job
from workbench.components.job_words import about, about_briefly, brief, can_resume, job_sentence
from workbench.components.plan_view import FIGURE, plan_figures
from workbench.components.shell import App, local_day_time, page, plain, t
from workbench.jobs.keys import holds
from workbench.jobs.running import recover

PAGE_SIZE, RESUMABLE, CARD_MINUTES = 50, 10, 10
ASKING = ("annotate", "ask")


def one(app: App, job_id: int) -> None:
    """One job, watched while it works."""
    st.page_link("pages/system/jobs.py", label=t("jobs.all"), icon=":material/arrow_back:")
    job = Jobs(app.db).get(job_id)
    if job.needs_key and job.state is JobState.QUEUED and not holds(app.home, job.id):
        ask_for_key(app, job)
    watch_job(job_id, beside=passage_states if job.kind in ASKING else None)
    doors(app, job)
    if job.kind == "plan" and job.state is JobState.DONE:
        with st.grid(min_column_width=FIGURE):
            plan_figures(job.result)
        st.caption(t("plan.note", device=job.result["device"]))
    if job.kind in ASKING:
        passages_of_job(app, job)
    if job.state is JobState.DONE and job.result:
        with st.expander(t("jobs.details"), icon=":material/data_object:"):
            st.code(json.dumps(job.result, ensure_ascii=False, indent=1), language="json")


def doors(app: App, job: Job) -> None:
    """Where to go on from a job."""
    run = Runs(app.db).of_job(job.id) if job.kind == "train" else None
    if run:
        st.page_link(
            "pages/model/run.py",
            label=t("pages.run"),
            icon=":material/monitoring:",
            query_params={"run": run.name},
        )
    if job.kind in ASKING and not job.state.active:
        st.page_link("pages/texts/review.py", label=t("pages.review"), icon=":material/edit_note:")
    if job.kind == "dataset" and job.state is JobState.DONE:
        st.page_link("pages/model/dataset.py", label=t("pages.dataset"), icon=":material/dataset:")
    if job.kind in ("evaluate", "ablate", "strength") and not job.state.active:
        of_run = job.kind == "strength"
        asked = {"run": job.params["run"]} if of_run else {}
        dataset = Runs(app.db).get(job.params["run"]).dataset if of_run else job.params["dataset"]
        st.page_link(
            "pages/model/results.py",
            label=t("pages.results"),
            icon=":material/leaderboard:",
            query_params={"dataset": dataset, **asked},
        )


def everything(app: App) -> None:
    """What works now, each watched; what can go on; and what has ended, as a table."""
    jobs = Jobs(app.db)
    recover(app.home, jobs)
    active = jobs.page(active=True, limit=1000)
    found = jobs.page(limit=PAGE_SIZE)
    shown = watched(active, found)
    for number in sorted(shown):
        watch_job(number)
    ended = [job for job in found if not job.state.active]
    if not active and not ended:
        st.info(t("jobs.none"))
    if ended:
        resumable([job for job in ended if job.id not in shown and can_resume(app.db, job)], jobs)
        table_of(app, ended)


def watched(active: Sequence[Job], found: Sequence[Job]) -> set[int]:
    """The jobs that have a card: what works, and what was seen working here and ended a moment ago.

    So that a card stays in its place when its job ends, and no click meant for it meets the next one.
    """
    late = (datetime.now(UTC) - timedelta(minutes=CARD_MINUTES)).isoformat()
    seen: set[int] = st.session_state.setdefault("jobs-seen", set())
    seen |= {job.id for job in active}
    return {job.id for job in active} | {job.id for job in found if job.id in seen and job.finished_at > late}


def resumable(found: Sequence[Job], jobs: Jobs) -> None:
    """The jobs that ended before they were done, each with its button."""
    if not found:
        return
    with st.expander(t("jobs.resumable", count=len(found)), icon=":material/resume:", key="jobs-resumable"):
        for job in found[:RESUMABLE]:
            left, right = st.columns([6, 1], vertical_alignment="center")
            what = plain(about(jobs.db, job))
            left.markdown(f"**{t(f'jobs.kind.{job.kind}')} #{job.id}** {what}  \n{plain(job_sentence(job))}")
            with right:
                resume_button(jobs, job)


def table_of(app: App, ended: Sequence[Job]) -> None:
    """The jobs that ended, newest first; a click opens one."""
    table = pd.DataFrame(
        {
            "#": [job.id for job in ended],
            t("jobs.created"): [local_day_time(job.created_at) for job in ended],
            t("jobs.kind_column"): [t(f"jobs.kind.{job.kind}") for job in ended],
            t("jobs.about"): [about_briefly(app.db, job) or "—" for job in ended],
            t("passages.status"): [t(f"jobs.state.{job.state.value}") for job in ended],
            t("jobs.result"): [brief(job) or "—" for job in ended],
        }
    )
    text = st.column_config.TextColumn
    widths = {t("jobs.created"): 125, t("jobs.kind_column"): 105, t("jobs.about"): 125, t("passages.status"): 75}
    chosen = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="jobs-table",
        column_config={"#": st.column_config.NumberColumn(width=45)}
        | {name: text(width=width) for name, width in widths.items()},
    )
    if chosen.selection.rows:
        st.query_params["job"] = str(ended[chosen.selection.rows[0]].id)
        st.rerun()


with page("jobs") as app:
    asked = st.query_params.get("job", "")
    if asked.isdecimal():
        one(app, int(asked))
    else:
        everything(app)
