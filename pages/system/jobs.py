"""Jobs: all of them, or one as it goes."""

import json

import pandas as pd
import streamlit as st

from core.records import Job, JobState
from db.experiments import Runs
from db.jobs import Jobs
from workbench.components.annotate_job import ask_for_key, passage_states, passages_of_job
from workbench.components.job_panel import job_sentence, result_lines, watch_job
from workbench.components.shell import App, page, t
from workbench.jobs.keys import holds
from workbench.jobs.running import recover

PAGE_SIZE = 50
ASKING = ("annotate", "ask")


def one(app: App, job_id: int) -> None:
    """One job, watched while it works."""
    st.page_link("pages/system/jobs.py", label=t("jobs.all"), icon=":material/arrow_back:")
    job = Jobs(app.db).get(job_id)
    if job.needs_key and job.state is JobState.QUEUED and not holds(app.home, job.id):
        ask_for_key(app, job)
    watch_job(job_id, beside=passage_states if job.kind in ASKING else None)
    doors(app, job)
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
    """What works now, each watched; and what has ended, as a table."""
    jobs = Jobs(app.db)
    recover(app.home, jobs)
    active = jobs.page(active=True)
    for job in reversed(active):
        watch_job(job.id)
    ended = [job for job in jobs.page(limit=PAGE_SIZE) if not job.state.active]
    if not active and not ended:
        st.info(t("jobs.none"))
    if not ended:
        return
    table = pd.DataFrame(
        {
            "#": [job.id for job in ended],
            t("jobs.created"): [job.created_at[:19].replace("T", " ") for job in ended],
            t("pages.jobs"): [t(f"jobs.kind.{job.kind}") for job in ended],
            t("passages.status"): [t(f"jobs.state.{job.state.value}") for job in ended],
            t("jobs.result"): [" ".join(result_lines(job)) or job_sentence(job) for job in ended],
        }
    )
    chosen = st.dataframe(table, hide_index=True, on_select="rerun", selection_mode="single-row", key="jobs-table")
    if chosen.selection.rows:
        st.query_params["job"] = str(ended[chosen.selection.rows[0]].id)
        st.rerun()


with page("jobs") as app:
    asked = st.query_params.get("job", "")
    if asked.isdecimal():
        one(app, int(asked))
    else:
        everything(app)
