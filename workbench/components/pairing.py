"""Pairs on the screen: the buttons below a picture, and the tables in and out."""

from typing import Literal

import streamlit as st

from core.records import ImageRecord
from db.images import Pairs
from workbench.components.reports import show_rejected
from workbench.components.shell import App, t
from workbench.tasks.images import export_pairs, import_pairs


def pair_buttons(app: App, passage_id: int, image: ImageRecord, state: Literal["open", "paired", "refused"]) -> None:
    """What can be said of a picture and a passage now.

    Buttons, not ticks: a tick remembers, and would undo what a colleague did meanwhile.
    """
    pairs, key = Pairs(app.db), f"{passage_id}-{image.id}"
    if state == "paired":
        if st.button(t("pairs.disconnect"), key=f"unpair-{key}", icon=":material/link_off:", width="stretch"):
            st.session_state["disconnected"] = (passage_id, image.id, pairs.remove(passage_id, image.id))
            st.rerun()
    elif st.button(t("pairs.connect"), key=f"pair-{key}", icon=":material/add_link:", width="stretch"):
        pairs.add([(passage_id, image.id, "")], who=app.who)
        st.rerun()
    if state == "refused":
        if st.button(t("pairs.take_back"), key=f"back-{key}", icon=":material/undo:", width="stretch"):
            pairs.take_back(passage_id, image.id)
            st.rerun()
    elif st.button(
        t("pairs.refuse"), key=f"refuse-{key}", icon=":material/block:", width="stretch", help=t("pairs.refused_why")
    ):
        pairs.refuse([(passage_id, image.id, "")], who=app.who)
        st.rerun()


def undo_disconnect(app: App, passage_id: int) -> None:
    """A way back from the latest disconnection of this passage: the picture may be hard to find again."""
    last = st.session_state.get("disconnected")
    if last and last[0] == passage_id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("pairs.disconnected"), width="content")
            if st.button(t("passages.undo"), key="undo-disconnect", icon=":material/undo:", type="tertiary"):
                del st.session_state["disconnected"]
                Pairs(app.db).add([last], who=app.who)
                st.rerun()


def pairs_as_tables(app: App) -> None:
    """The pairs and the refused pairs, each as a table, out and in."""
    with st.expander(t("pairs.exchange"), icon=":material/table:"):
        with st.container(horizontal=True):
            table = export_pairs(app.db).encode("utf-8-sig")
            st.download_button(t("pairs.download", file="pairs.csv"), table, "pairs.csv", "text/csv")
            if Pairs(app.db).count(refused=True):
                table = export_pairs(app.db, refused=True).encode("utf-8-sig")
                file_name = "refused_pairs.csv"
                st.download_button(t("pairs.download", file=file_name), table, file_name, "text/csv")
        file = st.file_uploader(t("pairs.upload"), type=["csv", "tsv"])
        refused = st.toggle(t("pairs.upload_refused"), help=t("pairs.refused_why"))
        if file and st.button(t("pairs.upload_save")):
            report = import_pairs(app.db, file.getvalue(), who=app.who, name=file.name, refused=refused)
            st.success(t("pairs.imported", count=report.added, present=report.present))
            show_rejected(report.rejected)
