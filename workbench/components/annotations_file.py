"""The user's ``annotations.json``, out and in, with what differs from a scholar's value listed."""

from functools import partial

import streamlit as st

from core.errors import SongclipError
from core.texts.annotation import Status
from workbench.components.reports import show_rejected
from workbench.components.shell import App, plain, sorry, t
from workbench.tasks.interchange import (
    CONFIRMED,
    InterchangeReport,
    annotations_json,
    conflict_line,
    import_annotations,
    kept_lines,
)

SHOWN = 100
TALL = 6
"""Conflicts that stand on the page as they are; more of them scroll."""


def annotations_file(app: App) -> None:
    """Draw the download and the import side by side, and below them what became of the file that was imported."""
    left, right = st.columns(2)
    with left:
        _download(app)
    with right:
        file_id = _import(app)
    kept_for, report = st.session_state.get("annotations_report", ("", None))
    if report and kept_for == file_id:
        _show(report)


def _download(app: App) -> None:
    chosen = st.multiselect(
        t("annotations_file.statuses"),
        list(Status),
        list(CONFIRMED),
        format_func=lambda status: t(f"status.{status.value}"),
        placeholder=t("shell.choose"),
        key="annotations-statuses",
    )
    st.download_button(
        t("annotations_file.download"),
        partial(annotations_json, app.home, tuple(chosen)),  # made when it is asked for, not with each look
        "annotations.json",
        "application/json",
        on_click="ignore",
        disabled=not chosen,
        icon=":material/download:",
        key="annotations-download",
    )


def _import(app: App) -> str:
    """Offer the import; returns which file lies there."""
    file = st.file_uploader(
        t("annotations_file.upload"), type="json", help=t("annotations_file.upload_hint"), key="annotations-upload"
    )
    if file is None:
        return ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        status = st.segmented_control(
            t("annotations_file.as"),
            [Status.SUBMITTED, Status.APPROVED],
            default=Status.SUBMITTED,
            required=True,
            format_func=lambda status: t(f"status.{status.value}"),
            key="annotations-as",
        )
        take = st.button(t("annotations_file.take"), icon=":material/upload:", key="annotations-take")
    if take:
        try:
            report = import_annotations(app.home, app.db, file.getvalue(), status or Status.SUBMITTED)
        except SongclipError as error:
            st.error(sorry(error))
        else:
            st.session_state["annotations_report"] = (file.file_id, report)
            st.rerun()  # what stands above was drawn from what was stored before
    return file.file_id


def _show(report: InterchangeReport) -> None:
    counts = {"count": report.imported, "added": report.passages_added, "unchanged": report.unchanged}
    st.info(t("annotations_file.report", **counts, conflicts=len(report.conflicts)))
    for line in kept_lines(report, t):
        st.caption(line)
    with st.container(height=260 if len(report.conflicts) > TALL else "content", border=False):
        for conflict in report.conflicts[:SHOWN]:
            named = {name: plain(conflict[name]) for name in ("source", "file_id")}
            st.page_link(
                "pages/texts/review.py",
                label=conflict_line({**conflict, **named}, t),
                query_params={"id": str(conflict["passage"])},
                icon=":material/difference:",
            )
    if len(report.conflicts) > SHOWN:
        st.caption(t("annotations_file.more_conflicts", count=len(report.conflicts) - SHOWN))
    show_rejected(report.rejected)
