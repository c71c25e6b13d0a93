"""Who sits at the desk: asked once, remembered by the browser."""

import streamlit as st

from workbench.components.shell import t


def ask_name() -> None:
    """Ask for the reviewer's name until it is given, without standing in the way."""
    if st.session_state.get("who"):
        return
    # A form, so that Enter says it too.
    with st.form("who-form", border=True), st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(t("who.ask"))
        st.text_input(t("who.name"), key="who-typed", max_chars=60, label_visibility="collapsed", width=260)
        st.form_submit_button(t("who.save"), on_click=_take)


def _take() -> None:
    """Before the sidebar draws its own field of that name."""
    typed = str(st.session_state.get("who-typed", "")).strip()
    if typed:
        st.session_state["who"] = typed
