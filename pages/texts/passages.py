"""Passages: list and search, paste, import, correct, delete with undo."""

import pandas as pd
import streamlit as st

from core.texts.reading import parse_pasted
from db.passages import Passages
from workbench.components.filters import passage_filter
from workbench.components.passage_form import correct
from workbench.components.reports import show_rejected
from workbench.components.shell import App, notice_later, page, show_notices, t
from workbench.tasks.passages import SUFFIXES, ImportReport, import_files, store_parsed

PAGE_SIZE = 50


def draw_report(report: ImportReport) -> None:
    """Say what was imported, what was there already and what could not be used."""
    if report.ids:
        st.success(t("passages.imported", count=len(report.ids), duplicates=len(report.duplicates)))
    elif report.duplicates:
        st.info(t("passages.imported", count=0, duplicates=len(report.duplicates)))
    show_rejected(report.rejected)


def list_tab(app: App) -> None:
    """Search, select, and act on what is selected."""
    passages = Passages(app.db)
    wanted = passage_filter(app, key="passages")
    count = passages.count(wanted)
    st.caption(t("passages.count", count=count))
    if count == 0:
        st.info(t("passages.none_deleted" if wanted.deleted else "passages.none"))
        return
    pages = -(-count // PAGE_SIZE)
    number = st.pagination(pages, key=f"passages-page-{hash(wanted)}") if pages > 1 else 1
    found = passages.page(wanted, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    table = pd.DataFrame(
        {
            "id": [summary.passage.id for summary in found],
            t("passages.source"): [summary.passage.source for summary in found],
            t("passages.chapter"): [summary.passage.chapter for summary in found],
            t("passages.text"): [summary.passage.text[:200] for summary in found],
            t("passages.status"): [t(f"status.{summary.status.value}") for summary in found],
            t("passages.images"): [summary.images for summary in found],
        }
    )
    config = {
        "id": st.column_config.NumberColumn("#", width=60),
        t("passages.text"): st.column_config.TextColumn(width="large"),
    }
    chosen = st.dataframe(
        table,
        key=f"passages-table-{hash(wanted)}-{number}",
        hide_index=True,
        on_select="rerun",
        column_config=config,
    )
    rows = chosen.selection.rows
    ids = [found[row].passage.id for row in rows if row < len(found)]
    actions(app, ids, deleted=wanted.deleted)


def actions(app: App, ids: list[int], *, deleted: bool) -> None:
    """Delete or bring back what is selected; open or correct it when it is one."""
    if not ids:
        st.caption(t("passages.select_hint"))
        return
    with st.container(horizontal=True):
        if deleted:
            if st.button(t("passages.restore", count=len(ids)), icon=":material/restore_from_trash:"):
                Passages(app.db).restore(ids)
                notice_later(t("passages.restored", count=len(ids)))
                st.rerun()
            return
        if len(ids) == 1 and st.button(t("passages.review"), icon=":material/edit_note:", type="primary"):
            st.switch_page("pages/texts/review.py", query_params={"id": str(ids[0])})
        if st.button(t("passages.delete", count=len(ids)), icon=":material/delete:"):
            Passages(app.db).delete(ids)
            st.session_state["deleted"] = ids
            st.rerun()
    if len(ids) == 1:
        correct(app, ids[0])


def paste_tab(app: App) -> None:
    """One passage, or several with an empty line between."""
    with st.form("paste", clear_on_submit=False):
        left, right = st.columns(2)
        source = left.text_input(t("passages.source"), placeholder="梦粱录")
        chapter = right.text_input(t("passages.chapter"), placeholder="卷八·德寿宫")
        edition = left.text_input(t("passages.edition"))
        number = right.text_input(t("passages.page"))
        text = st.text_area(t("passages.paste_text"), height=220, placeholder="德寿宫在望仙桥东，元系秦太师赐第。")
        if st.form_submit_button(t("passages.paste_save"), type="primary"):
            report = ImportReport()
            parsed = parse_pasted(text, source=source, chapter=chapter, edition=edition, page=number)
            store_parsed(app.home, app.db, parsed, report)
            draw_report(report)


def import_tab(app: App) -> None:
    """Files of any of the formats that are read."""
    files = st.file_uploader(t("passages.upload"), type=[suffix[1:] for suffix in SUFFIXES], accept_multiple_files=True)
    st.caption(t("passages.upload_hint"))
    if files and st.button(t("passages.upload_save", count=len(files)), type="primary"):
        draw_report(import_files(app.home, app.db, [(file.name, file.getvalue()) for file in files]))


with page("passages") as app:
    show_notices()
    if deleted := st.session_state.get("deleted"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(t("passages.deleted", count=len(deleted)))
            if st.button(t("passages.undo"), icon=":material/undo:"):
                Passages(app.db).restore(st.session_state.pop("deleted"))
                st.rerun()
    listed, pasted, imported = st.tabs([t("passages.tab_list"), t("passages.tab_paste"), t("passages.tab_import")])
    with pasted:
        paste_tab(app)
    with imported:
        import_tab(app)
    # Last, so that it lists what has just been added.
    with listed:
        list_tab(app)
