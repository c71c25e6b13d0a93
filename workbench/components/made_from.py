"""One line for what was made from annotations that have changed since, with the way to the first of them."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.components.shell import App, t
from workbench.tasks.datasets import stale_passages


def made_from_older(app: App, manifest: Mapping[str, Any]) -> None:
    """Say how many passages of the dataset have changed since it was built; nothing where none has."""
    changed = stale_passages(app.db, manifest)
    if not changed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(t("made_from.older", count=len(changed)), icon=":material/history:")
        st.page_link(
            "pages/texts/review.py",
            label=t("made_from.first", id=changed[0]),
            query_params={"id": str(changed[0])},
            icon=":material/edit_note:",
        )
