"""The guidelines, one key away: read, and rewritten by whoever knows better."""

import re

import streamlit as st

from db.guidelines import Guidelines
from workbench.components.shell import App, local_time, plain, t

_PICTURE = re.compile(r"!(?=\[)")


def harmless_markdown(text: str) -> str:
    """Markdown whose pictures are left as text: nothing is fetched from elsewhere when the guidelines are read."""
    return _PICTURE.sub(r"\\!", text)


def guidelines_dialog(app: App) -> None:
    """Open the guidelines over the page."""
    st.dialog(t("guidelines.title"), width="medium")(_draw)(app)


def _draw(app: App) -> None:
    guidelines = Guidelines(app.db)
    versions = guidelines.versions()
    text = versions[0].text if versions else t("guidelines.default")
    reading, writing = st.tabs([t("guidelines.read"), t("guidelines.edit")])
    with reading:
        st.markdown(harmless_markdown(text))
        if versions:
            st.caption(t("guidelines.written", who=plain(versions[0].who), at=local_time(versions[0].at)))
    with writing, st.form("guidelines"):
        typed = st.text_area(t("guidelines.text"), text, height=320, help=t("guidelines.help"))
        if st.form_submit_button(t("guidelines.save"), type="primary"):
            guidelines.write(typed, who=app.who)
            st.rerun()
