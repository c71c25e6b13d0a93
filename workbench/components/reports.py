"""What could not be used of a file or an upload, each with its sentence."""

from collections.abc import Sequence

import streamlit as st

from core.texts.fields import Rejected
from workbench.components.shell import plain, sorry, t

SHOWN = 20


def show_rejected(rejected: Sequence[Rejected]) -> None:
    """The first twenty with their reasons, and how many more there are."""
    for item in rejected[:SHOWN]:
        st.error(f"{plain(item.where)}: {sorry(item.error)}")
    if len(rejected) > SHOWN:
        st.error(t("passages.more_rejected", count=len(rejected) - SHOWN))
