"""Suggestions: choose passages and a provider, see what it would cost, start."""

import streamlit as st

from core.texts.annotation import Status
from db.jobs import Jobs
from db.passages import Passages
from db.suggestions import Suggestions
from workbench.components.filters import passage_filter
from workbench.components.job_panel import start_job
from workbench.components.provider_form import provider_form
from workbench.components.shell import App, page, t
from workbench.jobs.keys import hold
from workbench.tasks.annotating import narrowed

TRIED = ("all", "never", "failed")


def choose(app: App) -> list[int]:
    """The ids of the passages to ask about."""
    wanted = passage_filter(app, key="annotate", deleted=False, status=Status.NEW)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tried = st.segmented_control(
            t("annotate.tried"),
            TRIED,
            default="all",
            required=True,
            format_func=lambda name: t(f"annotate.tried_{name}"),
        )
        versions = ["", *Suggestions(app.db).prompt_versions()]
        version = st.selectbox(t("annotate.asked_with"), versions, format_func=lambda name: name or t("filters.all"))
        ids = narrowed(app.db, Passages(app.db).ids(wanted), tried or "all", version or "")
        most = max(len(ids), 1)
        limit = st.number_input(t("annotate.limit"), min_value=1, max_value=most, value=most, key=f"limit-{most}")
    if not ids:
        st.info(t("annotate.none"))
    return ids[: int(limit)]


def earlier(app: App) -> None:
    """The newest jobs, each with a door."""
    jobs = Jobs(app.db).page(kind="annotate", limit=10)
    if jobs:
        st.subheader(t("annotate.earlier"))
    for job in jobs:
        with st.container(horizontal=True, vertical_alignment="center"):
            done = job.result.get("done", job.done)
            st.markdown(f"#{job.id} · {t(f'jobs.state.{job.state.value}')} · {t('annotate.count', count=done)}")
            st.page_link("pages/system/jobs.py", label=t("jobs.open"), query_params={"job": str(job.id)})


with page("annotate") as app:
    ids = choose(app)
    chosen = provider_form(app, ids)
    start = st.button(
        t("annotate.start", count=len(ids)), type="primary", disabled=not ids, icon=":material/auto_awesome:"
    )
    if start:
        chosen.check()
        params = {**chosen.params, "ids": ids}
        job = start_job(app, "annotate", params, needs_key=bool(chosen.key))
        if chosen.key:
            hold(app.home, job.id, chosen.key)
        st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})
    earlier(app)
