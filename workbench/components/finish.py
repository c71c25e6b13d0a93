"""The button that ends a stopped run with its best epoch so far."""

from contextlib import suppress

import streamlit as st

from core.errors import ConflictError, SongclipError
from core.records import Job, Run
from workbench.components.shell import app_home, sorry, t
from workbench.tasks.finishing import finish_here


def finish_button(run: Run, job: Job, epoch: int) -> None:
    """Offer to write the model of the best ``epoch``; who is beaten to it sees what the other one began."""
    if job.kind != "train":
        return
    label = t("run_page.finish", epoch=epoch)
    if st.button(label, icon=":material/flag:", help=t("run_page.finish_help"), key=f"finish-{run.name}"):
        home = app_home()
        try:
            with suppress(ConflictError):
                finish_here(home, home.open(), run.name)
        except SongclipError as error:
            st.error(sorry(error))
        else:
            st.rerun()
