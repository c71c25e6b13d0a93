"""The collection: upload pictures with their provenance, browse them, describe them."""

from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import ConflictError
from core.records import ImageRecord
from db.images import Images, Pairs
from workbench.components.gallery import gallery
from workbench.components.reports import show_rejected
from workbench.components.shell import App, notice_later, page, show_notices, sorry, t
from workbench.tasks.images import CATEGORIES, SUFFIXES, add_pictures, describe_picture

PAGE_SIZE = 24


def category_name(code: str) -> str:
    """A category in the reader's language."""
    return t(f"categories.{code}") if code else t("filters.all")


def upload(app: App) -> None:
    """Several pictures at once, with what is the same for all of them."""
    with st.expander(t("collection.upload"), icon=":material/upload:", expanded=not Images(app.db).count()):
        files = st.file_uploader(
            t("collection.files"), type=[suffix[1:] for suffix in SUFFIXES], accept_multiple_files=True
        )
        with st.form("upload"):
            left, middle, right = st.columns(3)
            category = left.selectbox(t("collection.category"), CATEGORIES, format_func=category_name)
            source = middle.text_input(t("collection.source"), placeholder=t("collection.source_hint"))
            rights = right.text_input(t("collection.rights"), placeholder="CC0")
            sent = st.form_submit_button(t("collection.save", count=len(files or [])), type="primary")
        if sent and files:
            common = {"category": category, "source": source, "rights": rights}
            report = add_pictures(app.home, app.db, [(file.name, file.getvalue()) for file in files], {}, common)
            if report.ids or report.duplicates:
                st.success(t("images.imported", count=len(report.ids), duplicates=len(report.duplicates)))
            show_rejected(report.rejected)
        elif sent:
            st.warning(t("collection.no_files"))


@st.dialog("SongCLIP", width="large")
def details(app: App, image: ImageRecord) -> None:
    """One picture large, with its description to edit."""
    from core.imaging.store import ImageStore

    # The dialog draws itself anew in runs of its own, in threads that the page's connection does not belong to.
    db = app.home.open()
    st.image(str(ImageStore(app.home.images).preview(image.sha256)), width="stretch", alt=image.title)
    linked = "、".join(f"#{passage_id}" for passage_id in Pairs(db).passages_of(image.id)) or "—"
    st.caption(t("collection.facts", width=image.width, height=image.height, sha=image.sha256[:12], passages=linked))
    with st.form("describe"):
        title = st.text_input(t("collection.title"), image.title)
        left, right = st.columns(2)
        category = left.selectbox(
            t("collection.category"),
            CATEGORIES,
            index=CATEGORIES.index(image.category),
            format_func=category_name,
        )
        work = right.text_input(t("collection.work"), image.work, help=t("collection.work_help"))
        source = left.text_input(t("collection.source"), image.source)
        rights = right.text_input(t("collection.rights"), image.rights)
        note = st.text_area(t("collection.note"), image.note, height=80)
        if st.form_submit_button(t("collection.keep"), type="primary"):
            described: dict[str, Any] = {
                "title": title,
                "category": category,
                "source": source,
                "rights": rights,
                "note": note,
            }
            try:
                describe_picture(db, replace(image, **described, work=work.strip()), seen=image)
            except ConflictError as conflict:
                st.error(sorry(conflict))
                return
            notice_later(t("collection.kept"))
            st.rerun()
    if st.button(t("collection.delete"), icon=":material/delete:"):
        Images(db).delete(image.id)
        st.session_state["deleted_image"] = image.id
        st.rerun()


with page("collection") as app:
    show_notices()
    if deleted := st.session_state.get("deleted_image"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(t("collection.deleted"))
            if st.button(t("passages.undo"), icon=":material/undo:"):
                Images(app.db).restore(st.session_state.pop("deleted_image"))
                st.rerun()
    upload(app)
    with st.container(horizontal=True):
        text = st.text_input(t("filters.text"), key="collection-text", persist_state="session") or ""
        category = st.selectbox(
            t("collection.category"),
            ["", *CATEGORIES],
            format_func=category_name,
            key="collection-category",
            persist_state="session",
        )
    images = Images(app.db)
    count = images.count(text, category or "")
    st.caption(t("collection.count", count=count))
    pages = max(-(-count // PAGE_SIZE), 1)
    number = st.pagination(pages, key=f"collection-page-{text}-{category}") if pages > 1 else 1

    def open_button(image: ImageRecord) -> None:
        """Open one picture."""
        if st.button(t("collection.open"), key=f"open-{image.id}", width="stretch"):
            details(app, image)

    gallery(
        app,
        images.page(text, category or "", offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE),
        below=open_button,
    )
