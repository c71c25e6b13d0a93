"""The filter over passages that several pages share."""

import streamlit as st

from core.texts.annotation import Status
from db.passages import PassageFilter, Passages
from workbench.components.shell import App, t


def passage_filter(app: App, *, key: str, deleted: bool = True, status: Status | None = None) -> PassageFilter:
    """Draw the filter and return what is wanted; text is matched with variants folded."""
    works = Passages(app.db).works()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("filters.text"), key=f"{key}-text", placeholder=t("filters.text_hint"), persist_state="session"
        )
        work = st.selectbox(
            t("filters.work"),
            ["", *works],
            format_func=lambda name: f"{works[name][0]} ({works[name][1]})" if name else t("filters.all"),
            key=f"{key}-work",
            persist_state="session",
        )
        statuses = ["", *(status.value for status in Status)]
        chosen = st.selectbox(
            t("filters.status"),
            statuses,
            index=statuses.index(status.value) if status else 0,
            format_func=lambda code: t(f"status.{code}") if code else t("filters.all"),
            key=f"{key}-status",
            persist_state="session",
        )
        only_deleted = deleted and st.checkbox(t("filters.deleted"), key=f"{key}-deleted")
    return PassageFilter(
        text=(text or "").strip(),
        work=work or "",
        status=Status(chosen) if chosen else None,
        deleted=bool(only_deleted),
    )
