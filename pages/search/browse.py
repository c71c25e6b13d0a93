"""Find pictures: a classical phrase, a picture, or both; base or tuned model."""

import time

import streamlit as st

from db.images import Images
from workbench.components.gallery import gallery
from workbench.components.shell import page, t
from workbench.tasks.models import finished_runs
from workbench.tasks.searching import search

TOP = 24

with page("browse") as app:
    if not Images(app.db).count():
        st.info(t("pairs.no_images"))
        st.page_link("pages/images/collection.py", label=t("pages.collection"), icon=":material/imagesmode:")
        st.stop()
    runs = finished_runs(app.home, app.db)
    with st.form("search"):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        text = left.text_input(
            t("browse.text"), st.query_params.get("q", ""), placeholder="湖山亭榭，夜月画船", max_chars=500
        )
        asked = st.query_params.get("run", runs[0] if runs else "")
        names = ["", *runs]
        run = right.selectbox(
            t("browse.model"),
            names,
            index=names.index(asked) if asked in names else 0,
            format_func=lambda name: name or t("browse.base"),
        )
        file = st.file_uploader(t("browse.picture"), type=["jpg", "jpeg", "png", "webp"])
        sent = st.form_submit_button(t("browse.search"), type="primary", icon=":material/image_search:")
    if sent:
        st.query_params["q"], st.query_params["run"] = text or "", run or ""
    if sent or st.query_params.get("q"):
        began = time.perf_counter()
        with st.spinner(t("browse.working")):
            found = search(
                app.home, app.db, text or "", picture=file.getvalue() if file else b"", run=run or "", top=TOP
            )
        seconds = time.perf_counter() - began
        st.caption(t("browse.found", count=len(found), total=Images(app.db).count(), seconds=f"{seconds:.2f}"))
        captions = {hit.image.id: f"{hit.rank} · {hit.image.title} · {hit.score:.3f}" for hit in found}
        gallery(app, [hit.image for hit in found], caption=lambda _, image: captions[image.id])
