"""A job as it goes: state, progress, its sentence and its buttons; polls only while the job is active."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.records import Job, JobState
from db.jobs import Jobs
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


def job_sentence(job: Job) -> str:
    """What the job says of itself, its error first."""
    if job.error:
        return t(f"errors.{job.error}", **job.error_details)
    return t(job.message, **{"done": job.done, "total": job.total, **job.details}) if job.message else ""


def result_lines(job: Job) -> list[str]:
    """What a finished job came to, in sentences."""
    result = job.result
    if job.kind in ("annotate", "ask"):
        return [t("annotate.ended", **result)]
    if job.kind == "dataset":
        images = {name: result["splits"].get(name, {}).get("images", 0) for name in ("train", "valid", "test")}
        lines = [t("dataset.built_line", name=result["name"], path=result["path"], **images)]
        return [*lines, t(f"warnings.{result['warning']}")] if result["warning"] else lines
    if job.kind == "train":
        return [t("train_line.done", **result)]
    if job.kind == "demo":
        return [t("demo.made", **result)]
    return []


def watch_job(job_id: int, *, beside: Callable[[Job], None] | None = None) -> None:
    """Draw the job and go on drawing it while it is active; ``beside`` draws more with each look."""
    active = Jobs(app_home().open()).get(job_id).state.active

    @st.fragment(run_every=POLL_SECONDS if active else None, key=f"job-{job_id}")
    def panel() -> None:
        home = app_home()
        jobs = Jobs(home.open())
        recover(home, jobs)
        job = jobs.get(job_id)
        _draw(job, waiting=job.state is JobState.QUEUED and not is_dispatching(home))
        if beside:
            beside(job)
        if active and not job.state.active:
            st.rerun()

    panel()


def _draw(job: Job, *, waiting: bool) -> None:
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center")
        with left:
            colour = COLOURS.get(job.state, "blue")
            st.markdown(
                f"**{t(f'jobs.kind.{job.kind}')} #{job.id}** :{colour}-badge[{t(f'jobs.state.{job.state.value}')}]"
            )
            if job.state is JobState.DONE:
                for line in result_lines(job):
                    st.text(line)
            else:
                st.progress(job.progress, text=plain(job_sentence(job)) or None)
            if waiting:
                st.caption(t("jobs.no_dispatcher"))
        with right:
            _buttons(job)


def _buttons(job: Job) -> None:
    jobs = Jobs(app_home().open())
    if job.state.active:
        if st.button(t("jobs.stop"), key=f"stop-{job.id}", disabled=job.stop_requested, width="stretch"):
            jobs.cancel(job.id)
            st.rerun()
    elif job.state is not JobState.DONE and st.button(t("jobs.resume"), key=f"resume-{job.id}", width="stretch"):
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
