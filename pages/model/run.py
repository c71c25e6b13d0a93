"""One run: its job, its curves as they grow, and what came of it."""

import streamlit as st

from core.errors import NotFoundError, SongclipError
from core.records import Job, Run
from db.experiments import Datasets, Runs
from db.jobs import Jobs
from workbench.components.job_panel import watch_job
from workbench.components.made_from import made_from_older
from workbench.components.quantities import duration
from workbench.components.run_view import again, compare, frozen, live
from workbench.components.shell import App, app_home, page, plain, sorry, t


def find(app: App) -> tuple[Run | None, int | None]:
    """The run of the address and the job that makes it; neither for an address that names none.

    Raises NotFoundError for a run or a job that is not there.
    """
    job, name = st.query_params.get("job", ""), st.query_params.get("run", "")
    if job.isdecimal() and job.isascii():
        return Runs(app.db).of_job(int(job)), int(job)
    if job:
        raise NotFoundError("job_not_found", id=job)
    if not name:
        return None, None
    run = Runs(app.db).get(name)
    return run, run.job_id


def learned_from(app: App, run: Run) -> None:
    """Whether the dataset it learned from is still the one of that name, and up to date."""
    built = next((record for record in Datasets(app.db).all() if record.name == run.dataset), None)
    if built and built.hash != run.dataset_hash:
        st.warning(t("made_from.rebuilt", dataset=plain(run.dataset)), icon=":material/history:")
    elif built:
        made_from_older(app, built.manifest)


def heading(app: App, run: Run) -> None:
    """What it is called, what it learns from, and by which method."""
    st.subheader(plain(run.name))
    said = {"dataset": plain(run.dataset), "model": plain(run.model), "method": t(f"train.{run.method}")}
    st.caption(t("run_page.about", **said))
    learned_from(app, run)


def result(app: App, run: Run) -> None:
    """What the run came to, and its files."""
    summary = run.summary
    share = 100 * summary["trainable"] / summary["total"]
    with st.grid(min_column_width=190):
        st.metric(
            t("run_page.trainable"),
            f"{summary['trainable']:,}",
            f"{share:.2f} %",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(t("run_page.total"), f"{summary['total']:,}")
        st.metric(t("run_page.best"), summary["best_epoch"])
        st.metric(t("run_page.seconds"), duration(summary["seconds"]))
    chosen = summary["chosen_by"] if summary["chosen_by"] == "last" else summary.get("best_at", "both")
    st.caption(t(f"run_page.chosen_{chosen}"))
    if summary.get("finished_here"):
        st.info(t("run_page.finished_here", trained=summary["epochs"], planned=run.config["epochs"]))
    for note in summary.get("notes", ()):
        if note["what"] == "threads":
            st.info(t("run_page.threads_note", step=note["step"], before=note["before"], now=note["now"]))
    st.code(str(app.home.experiments / run.name), language=None)
    st.page_link(
        "pages/model/results.py",
        label=t("run_page.measure"),
        icon=":material/leaderboard:",
        query_params={"dataset": run.dataset, "run": run.name},
    )
    st.page_link(
        "pages/search/browse.py",
        label=t("run_page.search"),
        icon=":material/image_search:",
        query_params={"run": run.name},
    )


with page("run") as app:
    st.page_link("pages/model/train.py", label=t("pages.train"), icon=":material/arrow_back:")
    run, job_id = find(app)
    if run:
        heading(app, run)
    if run and run.summary:
        result(app, run)

    def beside(job: Job) -> None:
        """The run below its job's progress; a page that was opened before the run began is drawn anew then."""
        if run:
            live(run, job)
        elif Runs(Jobs(app_home().open()).db).of_job(job.id):
            st.rerun()

    if run is None and job_id is None:
        st.info(t("run_page.none_chosen"))
    if job_id is not None:
        watch_job(job_id, beside=beside)
    elif run:
        live(run, None)
    if run:
        try:
            again(app, run)
        except SongclipError as error:
            st.error(sorry(error))
        compare(app, run)
        frozen(run)
