"""Every revision of a passage: who, when, what changed, and the way back to it."""

import streamlit as st

from core.annotation.difference import Change, changes
from core.records import Revision
from core.texts.passage import Passage
from db.annotations import Annotations
from workbench.components.desk.panel import sitting_at
from workbench.components.desk.view import title_of, words_of
from workbench.components.shell import App, local_day_time, notice_later, plain, sorry, t
from workbench.tasks.desk import restore

PAGE = 10
CHANGES = 40


def history(app: App, passage: Passage) -> None:
    """Draw the revisions, newest first, when they are asked for."""
    box = st.expander(t("review.history"), icon=":material/history:", key="desk-history", on_change="rerun")
    with box:
        if not box.open:
            return
        number = st.session_state.get(f"desk-history-{passage.id}", PAGE)
        found = Annotations(app.db).history(passage.id, limit=number + 1)
        if not found:
            st.caption(t("history.none"))
        for position, revision in enumerate(found[:number]):
            before = found[position + 1] if position + 1 < len(found) else None
            _draw(app, passage, revision, before, newest=position == 0)
        if len(found) > number and st.button(t("history.more")):
            st.session_state[f"desk-history-{passage.id}"] = number + PAGE
            st.rerun()


def _draw(app: App, passage: Passage, revision: Revision, before: Revision | None, *, newest: bool) -> None:
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="top")
        began, ended = local_day_time(revision.began_at), local_day_time(revision.at)
        when = began if began == ended else f"{began} – {ended}"
        head = (
            f"**{revision.revision}** · {plain(when)} · {plain(revision.who)} · "
            f"{t(f'status.{revision.status.value}')} · {t(f'why.{revision.why}')}"
        )
        left.markdown(head)
        if before is not None:
            rows = changes(before.value, revision.value, passage.text)
            left.text("\n".join(sentence(row) for row in rows[:CHANGES]) or t("history.nothing"))
            if len(rows) > CHANGES:
                left.caption(t("history.and_more", count=len(rows) - CHANGES))
        if not newest and right.button(t("history.restore"), key=f"restore-{revision.revision}", width="stretch"):
            sitting = sitting_at(app, passage.id)
            restore(app.db, sitting, revision.revision, who=app.who)
            notice_later(sorry(sitting.error) if sitting.error else t("history.restored", revision=revision.revision))
            st.rerun()


def sentence(change: Change) -> str:
    """One change in words: what, where, from what to what."""
    where = title_of(change)
    if change.what == "added":
        return f"+ {where}" + (f": {change.after}" if change.after else "")
    if change.what == "removed":
        return f"− {where}" + (f": {change.before}" if change.before else "")
    before, after = (words_of(change.field, said) or "—" for said in (change.before, change.after))
    return f"~ {where}: {before} → {after}"
