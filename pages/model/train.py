"""Training: choose a dataset, a model and a purpose, press the button; the queue and earlier runs below."""

import pandas as pd
import streamlit as st

from core.errors import SongclipError
from db.experiments import Datasets, Runs
from workbench.components.plan_view import plan_view, waiting_view, weights_view
from workbench.components.shell import App, local_day_time, page, plain, sorry, t
from workbench.components.train_form import train_form
from workbench.tasks.options import train_params
from workbench.tasks.training import queue_run


def new_run(app: App) -> None:
    """The form, what the run would take, and the button."""
    asked = st.query_params.get("from", "")
    start = Runs(app.db).get(asked) if asked else None
    if start:
        st.info(t("train.from_run", run=plain(start.name)), icon=":material/edit:")
    wanted = train_form(app, start)
    present = False
    if wanted:
        present = weights_view(app, wanted.model)
        plan_view(app, wanted, present=present)
    started = st.button(t("train.start"), type="primary", icon=":material/play_arrow:", disabled=not present)
    if started and wanted:
        params = train_params(wanted.dataset, wanted.model, wanted.config, device=app.settings.device)
        job = queue_run(app.home, app.db, params)
        st.switch_page("pages/model/run.py", query_params={"job": str(job.id)})


def earlier(app: App) -> None:
    """The runs there are; a click opens one."""
    runs = Runs(app.db).all()
    if not runs:
        return
    st.subheader(t("train.earlier"))
    table = pd.DataFrame(
        {
            t("train.run"): [run.name for run in runs],
            t("train.dataset"): [run.dataset for run in runs],
            t("train.model"): [run.model for run in runs],
            t("train.method"): [t(f"train.{run.method}") for run in runs],
            t("train.share"): [
                100 * run.summary["trainable"] / run.summary["total"] if run.summary else None for run in runs
            ],
            t("train.best"): [run.summary.get("best_epoch") for run in runs],
            t("jobs.created"): [local_day_time(run.created_at) for run in runs],
        }
    )
    config = {t("train.share"): st.column_config.NumberColumn(format="%.2f %%")}
    chosen = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs-table",
        column_config=config,
        placeholder="—",
    )
    if chosen.selection.rows:
        st.switch_page("pages/model/run.py", query_params={"run": runs[chosen.selection.rows[0]].name})


with page("train") as app:
    if not Datasets(app.db).all():
        st.info(t("train.no_dataset"))
        st.page_link("pages/model/dataset.py", label=t("pages.dataset"), icon=":material/dataset:")
        st.stop()
    try:
        new_run(app)
    except SongclipError as error:
        st.error(sorry(error))
    waiting_view(app)
    earlier(app)
