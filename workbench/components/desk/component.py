"""The desk's JavaScript and styles, from files of their own.

The scripts are plain functions in the order of BUNDLE, so that one component holds them and a test can load them; the
text goes in as data and is drawn with ``textContent``, never as HTML.
"""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
BUNDLE = (
    "keeping.js",
    "spans.js",
    "keys.js",
    "local.js",
    "passage.js",
    "panels.js",
    "entities.js",
    "texts.js",
    "frame.js",
    "desk.js",
)
STYLES = ("marks.css", "desk.css")


def read(*names: str) -> str:
    """The files of this folder, one after the other."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


@cache
def desk_component() -> Any:
    """The mounting function of the whole desk."""
    return st.components.v2.component("songclip_desk", css=read(*STYLES), js=read(*BUNDLE), isolate_styles=False)
