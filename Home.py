"""The front door: `songclip run` starts Streamlit on this file."""

import streamlit as st

from workbench.components.shell import sidebar, style
from workbench.navigation import build, run

st.set_page_config(page_title="SongCLIP", page_icon="🏯", layout="wide")
style()
page = build()
sidebar()
run(page)
