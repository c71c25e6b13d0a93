"""Find pictures: a classical phrase, a picture, or both; base or tuned model."""

import time

import streamlit as st

from db.images import Images
from workbench.components.gallery import gallery
from workbench.components.shell import App, page, plain, t
from workbench.components.strength import strength_from_address, strength_slider, strength_to_address
from workbench.tasks.models import finished_runs
from workbench.tasks.searching import search

TOP = 24


def answer(app: App, text: str, run: str, picture: bytes) -> None:
    """The nearest pictures, and what found them."""
    strength = strength_from_address() if run else 1.0
    began = time.perf_counter()
    with st.spinner(t("browse.working")):
        found = search(app.home, app.db, text, picture=picture, run=run, strength=strength, top=TOP)
    seconds = time.perf_counter() - began
    st.caption(t("browse.found", count=len(found), total=Images(app.db).count(), seconds=f"{seconds:.2f}"))
    if strength != 1:
        st.caption(t("strength.found", run=plain(run), strength=f"{strength:g}"))
    captions = {hit.image.id: f"{hit.rank} · {hit.image.title} · {hit.score:.3f}" for hit in found}
    gallery(app, [hit.image for hit in found], caption=lambda _, image: captions[image.id])


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
