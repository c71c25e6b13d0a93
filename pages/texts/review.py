"""Review: one passage at a time, the suggestion corrected and approved; every change is saved as it is made."""

import streamlit as st

from core.texts.annotation import Status
from db.passages import PassageFilter, Passages
from workbench.components.filters import passage_filter
from workbench.components.review_editor import ReviewEditor
from workbench.components.shell import App, page, plain, show_notices, t
from workbench.tasks.reviewing import open_desk


def choose(app: App, wanted: PassageFilter) -> int | None:
    """The passage of the address, else the first that matches."""
    asked = st.query_params.get("id", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    _, first = Passages(app.db).neighbours(0, wanted)
    return first


def step_buttons(app: App, passage_id: int, wanted: PassageFilter) -> None:
    """To the passage before and after, over the filter."""
    before, after = Passages(app.db).neighbours(passage_id, wanted)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("review.previous"), disabled=before is None, icon=":material/arrow_back:"):
            st.query_params["id"] = str(before)
            st.rerun()
        if st.button(t("review.next"), disabled=after is None, icon=":material/arrow_forward:"):
            st.query_params["id"] = str(after)
            st.rerun()
        st.caption(f"#{passage_id}")


with page("review", lead=False) as app:
    show_notices()
    with st.expander(t("review.filter"), icon=":material/filter_list:"):
        wanted = passage_filter(app, key="review", deleted=False)
    passage_id = choose(app, wanted)
    if passage_id is None:
        st.info(t("passages.none"))
        st.page_link("pages/texts/passages.py", label=t("pages.passages"), icon=":material/menu_book:")
        st.stop()
    passage = Passages(app.db).get(passage_id)
    step_buttons(app, passage_id, wanted)
    citation = " · ".join(part for part in (passage.source, passage.chapter, passage.edition, passage.page) if part)
    desk = open_desk(app.db, passage)
    colour = "green" if desk.annotation.status is Status.APPROVED else "gray"
    st.markdown(f"{plain(citation)} :{colour}-badge[{t(f'status.{desk.annotation.status.value}')}]")
    if passage.deleted_at:
        st.warning(t("review.deleted"))
    ReviewEditor(app, passage, desk).draw()
