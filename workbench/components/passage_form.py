"""The form that corrects one passage's text and citation.

It starts from the passage as it lay there when the form was opened and stands still, so that what a person types is
neither replaced by what a colleague stores meanwhile nor stored over it.
"""

from dataclasses import replace

import streamlit as st

from core.errors import ConflictError
from core.texts.passage import Passage
from db.passages import Passages
from workbench.components.shell import App, notice_later, sorry, t
from workbench.tasks.passages import correct_passage


def correct(app: App, passage_id: int) -> None:
    """Draw the form and store what is changed in it."""
    seen, turn = _begun(app, passage_id)
    with st.expander(t("passages.correct"), icon=":material/edit:"):
        with st.form(f"correct-{passage_id}"):
            changed = _fields(seen, turn)
            if st.form_submit_button(t("passages.save"), type="primary"):
                _store(app, changed, seen)
        if Passages(app.db).get(passage_id) != seen:
            st.button(t("passages.load_stored"), icon=":material/refresh:", on_click=_start_over)


def _begun(app: App, passage_id: int) -> tuple[Passage, int]:
    """The passage as it was when the form was opened; anew when another page was open in between."""
    seen: Passage | None = st.session_state.get("correcting")
    turn: int = st.session_state.get("correcting-turn", 0)
    if seen is None or seen.id != passage_id or _key(passage_id, turn) not in st.session_state:
        seen, turn = Passages(app.db).get(passage_id), turn + 1
        st.session_state["correcting"], st.session_state["correcting-turn"] = seen, turn
    return seen, turn


def _key(passage_id: int, turn: int) -> str:
    return f"correct-text-{passage_id}-{turn}"


def _fields(seen: Passage, turn: int) -> Passage:
    left, right = st.columns(2)
    source = left.text_input(t("passages.source"), seen.source)
    chapter = right.text_input(t("passages.chapter"), seen.chapter)
    edition = left.text_input(t("passages.edition"), seen.edition)
    number = right.text_input(t("passages.page"), seen.page)
    address = st.text_input(t("passages.address"), seen.address)
    text = st.text_area(t("passages.text"), seen.text, height=200, key=_key(seen.id, turn))
    return replace(
        seen,
        source=source.strip(),
        chapter=chapter.strip(),
        edition=edition,
        page=number,
        address=address,
        text=text.strip(),
    )


def _store(app: App, changed: Passage, seen: Passage) -> None:
    try:
        flags = correct_passage(app.db, changed, who=app.who, seen=seen)
    except ConflictError as conflict:
        st.error(sorry(conflict))
        return
    _start_over()
    notice_later(t("passages.corrected", flags=len(flags)) if flags else t("passages.saved"))
    st.rerun()


def _start_over() -> None:
    st.session_state.pop("correcting", None)
