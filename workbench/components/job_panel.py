"""A job as it goes: state, progress, its sentence and its buttons; polls only while the job is active."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.records import Job, JobState
from db.jobs import Jobs
from workbench.components.job_words import about, job_sentence, result_lines, waits_for
from workbench.components.shell import App, app_home, plain, t
from workbench.jobs.dispatching import is_dispatching
from workbench.jobs.running import recover

POLL_SECONDS = 1.0
COLOURS = {
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.INTERRUPTED: "orange",
    JobState.CANCELLED: "gray",
}


def watch_job(job_id: int, *, beside: Callable[[Job], None] | None = None) -> None:
    """Draw the job and go on drawing it while it is active; ``beside`` draws more with each look."""
    active = Jobs(app_home().open()).get(job_id).state.active

    @st.fragment(run_every=POLL_SECONDS if active else None, key=f"job-{job_id}")
    def panel() -> None:
        home = app_home()
        jobs = Jobs(home.open())
        recover(home, jobs)
        job = jobs.get(job_id)
        _draw(jobs, job, waiting=job.state is JobState.QUEUED and not is_dispatching(home))
        if beside:
            beside(job)
        if active and not job.state.active:
            st.rerun()

    panel()


def _draw(jobs: Jobs, job: Job, *, waiting: bool) -> None:
    with st.container(border=True):
        # Resume and Stop have a place each: a second click on the one never meets the other.
        left, middle, right = st.columns([5, 1, 1], vertical_alignment="center")
        with left:
            colour = COLOURS.get(job.state, "blue")
            st.markdown(
                f"**{t(f'jobs.kind.{job.kind}')} #{job.id}** :{colour}-badge[{t(f'jobs.state.{job.state.value}')}]"
            )
            if what := about(jobs.db, job):
                st.caption(plain(what))
            if job.state is JobState.DONE:
                for line in result_lines(job):
                    st.text(line)
            else:
                st.progress(job.progress, text=plain(job_sentence(job)) or None)
            if ahead := waits_for(job, jobs.page(active=True, limit=1000)):
                st.caption(plain(ahead))
            if waiting:
                st.caption(t("jobs.no_dispatcher"))
        with middle:
            if not job.state.active and job.state is not JobState.DONE:
                resume_button(jobs, job)
        with right:
            if job.state.active:
                _stop_button(jobs, job)


def _stop_button(jobs: Jobs, job: Job) -> None:
    if st.button(t("jobs.stop"), key=f"stop-{job.id}", disabled=job.stop_requested, width="stretch"):
        jobs.cancel(job.id)
        st.rerun()


def resume_button(jobs: Jobs, job: Job) -> None:
    """Queue the job again; it goes on where it can."""
    if st.button(t("jobs.resume"), key=f"resume-{job.id}", width="stretch"):
        jobs.resume(job.id)
        st.rerun()


def start_job(app: App, kind: str, params: Mapping[str, object], *, key: str = "", needs_key: bool = False) -> Job:
    """Queue a job from a page; a second click on the same button gives the job that waits or works already.

    ``key``: what may not be asked twice at once, the kind unless given.
    """
    from core.errors import ConflictError
    from workbench.jobs.running import submit

    jobs = Jobs(app.db)
    try:
        return submit(app.home, jobs, kind, dict(params), key=key or kind, needs_key=needs_key)
    except ConflictError:
        active = jobs.page(kind=kind, active=True, limit=1000)
        return next((job for job in active if job.params == dict(params)), active[0])
