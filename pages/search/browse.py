"""Find pictures: a classical phrase, a picture, or both; base or tuned model."""

import time
from collections.abc import Sequence

import streamlit as st

from db.images import Images
from workbench.components.gallery import gallery
from workbench.components.shell import App, page, plain, t
from workbench.components.strength import run_at, strength_from_address, strength_slider, strength_to_address
from workbench.tasks.models import finished_runs
from workbench.tasks.searching import Found, search

TOP, TOP_BESIDE = 24, 12


def answer(app: App, text: str, run: str, picture: bytes) -> None:
    """The nearest pictures, and what found them; beside what the base model finds, where that is asked for."""
    strength = strength_from_address() if run else 1.0
    beside = bool(run) and st.query_params.get("beside") == "1"
    strengths = (0.0, strength or 1.0) if beside else (strength,)
    top = TOP_BESIDE if beside else TOP
    began = time.perf_counter()
    with st.spinner(t("browse.working")):
        found = [search(app.home, app.db, text, picture=picture, run=run, strength=at, top=top) for at in strengths]
    seconds = time.perf_counter() - began
    st.caption(t("browse.found", count=len(found[0]), total=Images(app.db).count(), seconds=f"{seconds:.2f}"))
    if strength != 1 and not beside:
        st.caption(t("strength.found", run=plain(run), strength=f"{strength:g}"))
    for column, at, hits in zip(st.columns(len(strengths)), strengths, found, strict=True):
        with column:
            if beside:
                st.markdown(f"**{plain(run_at(run, at)) if at else t('browse.base')}**")
            pictures(app, hits)


def pictures(app: App, hits: Sequence[Found]) -> None:
    """What one model found, with rank and score."""
    captions = {hit.image.id: f"{hit.rank} · {hit.image.title} · {hit.score:.3f}" for hit in hits}
    gallery(app, [hit.image for hit in hits], caption=lambda _, image: captions[image.id])


def beside_to_address() -> None:
    """Whether the base model's pictures stand beside, in the address, so that it can be sent."""
    if st.session_state["browse-beside"]:
        st.query_params["beside"] = "1"
    elif "beside" in st.query_params:
        del st.query_params["beside"]


with page("browse") as app:
    if not Images(app.db).count():
        st.info(t("pairs.no_images"))
        st.page_link("pages/images/collection.py", label=t("pages.collection"), icon=":material/imagesmode:")
        st.stop()
    runs = finished_runs(app.home, app.db)
    names = ["", *runs]
    asked = st.query_params.get("run", runs[0] if runs else "")
    asked = asked if asked in names else ""
    # set once and kept under a key: with a default that follows the address, what is typed after a search would be lost
    st.session_state.setdefault("browse-run", asked)
    st.session_state.setdefault("browse-text", st.query_params.get("q", ""))
    left, right = st.columns(2)
    run = left.selectbox(t("browse.model"), names, format_func=lambda name: name or t("browse.base"), key="browse-run")
    with right:
        strength = strength_slider(run) if run else 1.0
    if run:
        st.caption(t("strength.what"))
        st.session_state.setdefault("browse-beside", st.query_params.get("beside") == "1")
        st.toggle(t("browse.beside"), key="browse-beside", on_change=beside_to_address)
    with st.form("search"):
        text = st.text_input(t("browse.text"), placeholder="湖山亭榭，夜月画船", max_chars=500, key="browse-text")
        file = st.file_uploader(t("browse.picture"), type=["jpg", "jpeg", "png", "webp"])
        sent = st.form_submit_button(t("browse.search"), type="primary", icon=":material/image_search:")
    if sent:
        st.query_params["q"], st.query_params["run"] = text or "", run or ""
        strength_to_address(strength)
        asked = run or ""
    if sent or st.query_params.get("q"):
        # as the address says: while somebody is still choosing, no picture is read for what she passes on the way
        answer(app, st.query_params["q"], asked, file.getvalue() if file else b"")
