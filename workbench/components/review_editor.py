"""The editor of one passage's annotation.

A table editor must not be fed its own output: it would lose every second edit. So the value the tables start from is
held in the session and stands still while they are edited, and so does their number of rows; what the person sees is
that value with her edits, and each time it differs from what was saved last, it is saved as the next revision.
Saving is the widgets' callback: it runs first of all, also when the same click went to the next passage or to another
page, where the editor is not drawn any more and what she typed last would be lost.
When the widgets forgot their edits (she was on another page), the sitting begins anew from what is stored.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from core.errors import ConflictError, SongclipError
from core.records import Annotation
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import Passage
from core.texts.vocabulary import PLACE_TYPES, RELATION_TYPES, place_type, relation_type
from db.annotations import Annotations
from db.passages import Passages
from workbench.components.passage_view import passage_view
from workbench.components.shell import (
    App,
    app_home,
    current_language,
    local_time,
    notice_later,
    plain,
    plain_details,
    reviewer,
    t,
)
from workbench.tasks.annotating import provider_named, suggest
from workbench.tasks.reviewing import (
    CERTAINTIES,
    CLASSES,
    Desk,
    add_entity,
    entities_from_rows,
    entity_rows,
    relation_rows,
    relations_from_rows,
    save,
)

logger = logging.getLogger(__name__)

TEXTS = ("spatial_relation", "modern_chinese", "english", "search_prompt")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in table.to_dict("records")]


@dataclass
class Sitting:
    """One person at one passage: what the tables started from, and the revision her next save must match."""

    passage_id: int
    base: AnnotationValue
    saved: AnnotationValue
    revision: int
    turn: int = 0
    drawn: bool = False

    def key(self, name: str) -> str:
        """The key of a widget of this sitting."""
        return f"review-{name}-{self.passage_id}-{self.turn}"

    def edited(self, text: str) -> AnnotationValue:
        """What the tables and fields hold, read from the session, so that it can be had before they are drawn."""
        entities = entities_from_rows(self._rows("entities", entity_rows(self.base, text)), self.base, text)
        rows = self._rows("relations", relation_rows(self.base, text))
        typed: dict[str, Any] = {
            name: st.session_state.get(self.key(name), getattr(self.base, name)) or "" for name in TEXTS
        }
        relations = relations_from_rows(rows, entities, self.base, text)
        return replace(self.base, entities=entities, relations=relations, **typed)

    def _rows(self, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        edits = st.session_state.get(self.key(table), {}).get("edited_rows", {})
        return [row | edits.get(number, {}) for number, row in enumerate(rows)]


def keep_edits(passage_id: int, turn: int) -> None:
    """Save what was just edited at a sitting; what stands in the way is said when the editor is drawn again."""
    sitting: Sitting | None = st.session_state.get("sitting")
    if sitting is None or (sitting.passage_id, sitting.turn) != (passage_id, turn):
        return
    try:
        db = app_home().open()
        value = sitting.edited(Passages(db).get(passage_id).text)
        if value != sitting.saved:
            saved = save(db, passage_id, value, revision=sitting.revision, who=reviewer())
            sitting.saved, sitting.revision = value, saved.revision
    except ConflictError as conflict:
        # She may be on her way to a page that does not draw the editor.
        notice_later(t("review.conflict", **plain_details(conflict)))
    except SongclipError as error:
        logger.warning("edits of passage %s not saved: %s", passage_id, error.code)


class ReviewEditor:
    """Draws the editor and saves what is edited in it."""

    def __init__(self, app: App, passage: Passage, desk: Desk) -> None:
        self.app, self.passage, self.desk = app, passage, desk
        self.refused = False
        sitting: Sitting | None = st.session_state.get("sitting")
        forgotten = sitting and sitting.drawn and sitting.key("entities") not in st.session_state
        if sitting is None or sitting.passage_id != passage.id or forgotten:
            sitting = self._sit_down()
        self.sitting = sitting

    def _sit_down(self) -> Sitting:
        turn = st.session_state.get("turn", 0) + 1
        st.session_state["turn"] = turn
        sitting = Sitting(self.passage.id, self.desk.value, self.desk.value, self.desk.annotation.revision, turn)
        st.session_state["sitting"] = sitting
        return sitting

    def _key(self, name: str) -> str:
        return self.sitting.key(name)

    def _kept(self) -> dict[str, Any]:
        return {"on_change": keep_edits, "args": (self.passage.id, self.sitting.turn)}

    def draw(self) -> None:
        """The whole editor."""
        if self.desk.unconfirmed and self.desk.suggestion:
            made_by = plain(f"{self.desk.suggestion.provider} · {self.desk.suggestion.model}")
            st.info(t("review.unconfirmed", model=plain(made_by)), icon=":material/auto_awesome:")
            for problem in self.desk.suggestion.parameters.get("problems", []):
                said = {name: plain(problem[name]) for name in ("name", "label")}
                st.caption("⚠ " + t(f"problems.{problem['code']}", **said))
        marked = st.container()
        value = self._tables()
        value = self._texts(value)
        self.sitting.drawn = True
        with marked:
            value = self._passage(value)
        self._save_if_changed(value)
        self._buttons(value)
        self._history()

    def _passage(self, value: AnnotationValue) -> AnnotationValue:
        labels = {kind: t(f"classes.{kind}") for kind in CLASSES}
        span = passage_view(self.passage.text, value, key=self._key("view"), labels=labels)
        words = self.passage.text[slice(*span)] if span else ""
        with st.container(horizontal=True, vertical_alignment="bottom"):
            kind = st.selectbox(
                t("review.class"), CLASSES, format_func=lambda name: labels[name], key="add-class", width=140
            )
            code = st.selectbox(
                t("review.type"),
                [row.code for row in PLACE_TYPES],
                format_func=self._type_name,
                key="add-type",
                width=180,
            )
            label = t("review.add", words=plain(words)) if words else t("review.add_hint")
            if st.button(label, disabled=not span, icon=":material/add:") and span:
                grown = add_entity(value, self.passage.text, span, kind=kind, type_code=code)
                self._store(grown)
                self._start_over(grown)
        return value

    def _start_over(self, value: AnnotationValue) -> None:
        """Give the tables a new value to start from: theirs with something added that was not typed into them."""
        st.session_state["turn"] = self.sitting.turn + 1
        self.sitting.base, self.sitting.turn, self.sitting.drawn = value, self.sitting.turn + 1, False
        st.rerun()

    @staticmethod
    def _type_name(code: str) -> str:
        name: str = getattr(place_type(code), current_language())
        return name

    @staticmethod
    def _relation_name(code: str) -> str:
        name: str = getattr(relation_type(code), current_language())
        return name

    @staticmethod
    def _choice(label: str, options: Sequence[str], name: Callable[[str], str]) -> Any:
        return st.column_config.SelectboxColumn(
            label, options=["", *options], format_func=lambda o: name(str(o)) if o else ""
        )

    def _tables(self) -> AnnotationValue:
        base, text = self.sitting.base, self.passage.text
        st.subheader(t("review.entities"))
        column = st.column_config
        entities = st.data_editor(
            pd.DataFrame(entity_rows(base, text)),
            key=self._key("entities"),
            num_rows="fixed",
            placeholder="",
            hide_index=True,
            column_order=["name", "kind", "type", "certainty", "note", "found", "drop"],
            column_config={
                "name": column.TextColumn(t("review.name")),
                "kind": self._choice(t("review.class"), CLASSES, lambda kind: t(f"classes.{kind}")),
                "type": self._choice(t("review.type"), [row.code for row in PLACE_TYPES], self._type_name),
                "certainty": self._choice(t("review.certainty"), CERTAINTIES, lambda c: t(f"certainty.{c}")),
                "note": column.TextColumn(t("review.note")),
                "found": column.TextColumn(t("review.found"), disabled=True),
                "drop": column.CheckboxColumn(t("review.drop"), width="small"),
            },
            **self._kept(),
        )
        value = replace(base, entities=entities_from_rows(_records(entities), base, text))
        missing = [entity.name for entity in value.entities if not entity.mentions]
        if missing:
            st.caption(t("review.not_found", names="、".join(plain(name) for name in missing)))
        return self._relations(value)

    def _relations(self, value: AnnotationValue) -> AnnotationValue:
        base, text = self.sitting.base, self.passage.text
        names = {entity.id: entity.name for entity in value.entities}
        column = st.column_config
        st.subheader(t("review.relations"))
        rows = st.data_editor(
            pd.DataFrame(relation_rows(base, text)),
            key=self._key("relations"),
            num_rows="fixed",
            placeholder="",
            hide_index=True,
            column_order=[
                "subject",
                "code",
                "object",
                "distance",
                "unit",
                "evidence",
                "certainty",
                "note",
                "drop",
            ],
            column_config={
                "subject": self._choice(t("review.subject"), list(names), lambda e: names.get(e, e)),
                "code": self._choice(t("review.relation"), [row.code for row in RELATION_TYPES], self._relation_name),
                "object": self._choice(t("review.object"), list(names), lambda e: names.get(e, e)),
                "distance": column.TextColumn(t("review.distance"), width="small"),
                "unit": column.TextColumn(t("review.unit"), width="small"),
                "evidence": column.TextColumn(t("review.evidence")),
                "certainty": self._choice(t("review.certainty"), CERTAINTIES, lambda c: t(f"certainty.{c}")),
                "note": column.TextColumn(t("review.note")),
                "drop": column.CheckboxColumn(t("review.drop"), width="small"),
            },
            **self._kept(),
        )
        relations = relations_from_rows(_records(rows), value.entities, base, text)
        return replace(value, relations=relations)

    def _texts(self, value: AnnotationValue) -> AnnotationValue:
        typed: dict[str, Any] = {}
        columns = st.columns(2)
        for number, name in enumerate(TEXTS):
            typed[name] = columns[number % 2].text_area(
                t(f"review.{name}"),
                getattr(self.sitting.base, name),
                key=self._key(name),
                height=110,
                **self._kept(),
            )
        return replace(value, **typed)

    def _save_if_changed(self, value: AnnotationValue) -> None:
        if value != self.sitting.saved:
            self._store(value)

    def _store(self, value: AnnotationValue, status: Status = Status.DRAFT) -> Annotation | None:
        try:
            saved = save(
                self.app.db,
                self.passage.id,
                value,
                revision=self.sitting.revision,
                who=self.app.who,
                status=status,
            )
        except ConflictError as conflict:
            if not self.refused:  # once: a button pressed in spite of it is refused for the same reason
                self.refused = True
                st.error(t("review.conflict", **plain_details(conflict)))
                if st.button(t("review.take_theirs"), key=self._key("theirs")):
                    del st.session_state["sitting"]
                    st.rerun()
            return None
        self.sitting.saved, self.sitting.revision = value, saved.revision
        return saved

    def _buttons(self, value: AnnotationValue) -> None:
        annotation = Annotations(self.app.db).get(self.passage.id)
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(t("review.save"), icon=":material/save:") and self._store(value):
                st.toast(t("review.saved"))
            if st.button(t("review.approve"), type="primary", icon=":material/verified:"):
                self._end(value, Status.APPROVED)
            if st.button(t("review.discard"), icon=":material/block:", disabled=annotation.status is Status.DISCARDED):
                self._end(value, Status.DISCARDED)
            if st.button(t("review.suggest"), icon=":material/auto_awesome:"):
                suggest(self.app.db, self.passage.id, provider_named("offline"))
                if self.desk.unconfirmed:
                    del st.session_state["sitting"]
                notice_later(t("review.suggested"))
                st.rerun()
            if annotation.revision:
                st.caption(t("review.saved_at", at=local_time(annotation.updated_at), who=plain(annotation.updated_by)))

    def _end(self, value: AnnotationValue, status: Status) -> None:
        if self._store(value, status):
            notice_later(t(f"review.now_{status.value}"))
            st.rerun()

    def _history(self) -> None:
        with st.expander(t("review.history"), icon=":material/history:"):
            for revision in Annotations(self.app.db).history(self.passage.id)[:50]:
                st.text(
                    f"{revision.revision} · {revision.at[:19].replace('T', ' ')} · {revision.who} · "
                    f"{t(f'status.{revision.status.value}')} · {t(f'why.{revision.why}')}"
                )
