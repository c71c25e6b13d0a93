"""Review: the desk with one passage of the queue, its history, and annotations.json in and out."""

import streamlit as st

from db.passages import Passages
from db.queue import PassageFilter
from workbench.components.annotations_file import annotations_file
from workbench.components.desk.history import history
from workbench.components.desk.panel import desk
from workbench.components.desk.who import ask_name
from workbench.components.filters import filter_line, passage_filter
from workbench.components.shell import App, page, show_notices, t


def choose(app: App, wanted: PassageFilter) -> int | None:
    """The passage of the address, else the first that matches."""
    asked = st.query_params.get("id", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    found = Passages(app.db).page(wanted, limit=1)
    return found[0].passage.id if found else None


with page("review", lead=False) as app:
    show_notices()
    ask_name()
    with st.expander(t("review.filter"), icon=":material/filter_list:"):
        wanted = passage_filter(app, key="review", deleted=False, address=True)
    passage_id = choose(app, wanted)
    filter_line(app, wanted, key="review", passage_id=passage_id)
    if passage_id is None:
        st.info(t("passages.none"))
        st.page_link("pages/texts/passages.py", label=t("pages.passages"), icon=":material/menu_book:")
        st.stop()
    passage = Passages(app.db).get(passage_id)
    desk(app, passage_id, wanted)
    history(app, passage)
    with st.expander(t("review.file"), icon=":material/swap_vert:", key="annotations-file", on_change="rerun") as box:
        if box.open:
            annotations_file(app)
