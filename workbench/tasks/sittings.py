"""A sitting: what lies before one person at one passage, and where it comes from.

It is held in the browser's session; what a person must not lose of it is stored (:mod:`workbench.tasks.desk`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlite_utils import Database

from core.errors import SongclipError
from core.records import Annotation, Revision, Suggestion, Unmerged
from core.texts.annotation import TEXT_FIELDS, AnnotationValue, Status
from core.texts.offsets import reanchor
from core.texts.passage import Passage
from db.annotations import Annotations
from db.passages import Passages, text_hash
from db.suggestions import Suggestions

_UNTOUCHED = (Status.NEW, Status.SUGGESTED)

Batch = Mapping[str, Any]
"""What a browser sends: passage, sitting, version, revision and text_id as it saw them, and numbered actions."""


@dataclass(frozen=True, slots=True)
class Step:
    """What stood there before a change: what undo goes back to."""

    value: AnnotationValue
    status: Status
    field: str = ""
    at: float = 0.0


@dataclass
class Sitting:
    """What lies on the desk. ``value`` is what the person sees; in a conflict it differs from what is stored.

    ``text`` is the passage as she sees it, to which all offsets of the sitting point. ``ack`` is the number of the
    last action that was dealt with, ``made`` the number of the one that made an entity, and that entity.
    """

    passage_id: int
    token: str
    text: str
    version: int
    revision: int
    status: Status
    base: AnnotationValue
    value: AnnotationValue
    ack: int = 0
    undo: list[Step] = field(default_factory=list)
    redo: list[Step] = field(default_factory=list)
    suggestion_id: int | None = None
    conflict: bool = False
    merging: Unmerged | None = None
    error: SongclipError | None = None
    made: tuple[int, str] | None = None

    def move_to(self, text: str) -> None:
        """The passage's text was corrected: everything on the desk moves along."""
        if text == self.text:
            return

        def moved(value: AnnotationValue) -> AnnotationValue:
            return reanchor(value, self.text, text)[0]

        self.base, self.value = moved(self.base), moved(self.value)
        self.undo = [replace(step, value=moved(step.value)) for step in self.undo]
        self.redo = [replace(step, value=moved(step.value)) for step in self.redo]
        self.text = text

    @property
    def begun(self) -> bool:
        """Whether something was done at it."""
        return bool(self.ack or self.undo or self.conflict)

    @property
    def untouched(self) -> bool:
        """Whether nobody has confirmed or changed anything of this passage."""
        return self.status in _UNTOUCHED

    def follow(self, stored: Annotation) -> None:
        """Take over what is stored now."""
        self.version, self.revision, self.status = stored.version, stored.revision, stored.status
        self.base = self.value = stored.value
        self.conflict, self.merging = False, None


def sit_down(db: Database, passage_id: int, *, token: str = "") -> Sitting:
    """A new sitting at what is stored."""
    stored = Annotations(db).get(passage_id)
    return Sitting(
        passage_id,
        token or secrets.token_hex(8),
        Passages(db).get(passage_id).text,
        stored.version,
        stored.revision,
        stored.status,
        stored.value,
        stored.value,
    )


def resume(db: Database, batch: Batch) -> Sitting:
    """The sitting of a browser that this process does not know: the server was restarted under it."""
    passage_id, token = int(batch["passage"]), str(batch["sitting"])
    sitting = sit_down(db, passage_id, token=token)
    stored = Annotations(db).get(passage_id)
    aside = next((row for row in Annotations(db).unmerged(passage_id) if row.sitting == token), None)
    if aside:
        sitting.base, sitting.value, sitting.conflict, sitting.ack = aside.base, aside.value, True, aside.seq
    elif stored.sitting == token:
        sitting.ack = stored.seq
    elif stored.version != batch["version"]:
        # Somebody changed it meanwhile: her actions belong to the revision that she saw.
        sitting.version, sitting.revision = int(batch["version"]), int(batch["revision"])
        seen = Annotations(db).at(passage_id, sitting.revision) if sitting.revision else None
        sitting.base = sitting.value = on_text_now(db, passage_id, seen) if seen else AnnotationValue()
    # Her actions count from the text that she saw.
    earlier = (text for text, _, _ in Passages(db).earlier_texts(passage_id) if text_id(text) == batch.get("text_id"))
    if text_id(sitting.text) != batch.get("text_id") and (text := next(earlier, None)):
        sitting.move_to(text)
    return sitting


def text_id(text: str) -> str:
    """By what a browser says which text of a passage it shows."""
    return text_hash(text)[:16]


def on_text_now(db: Database, passage_id: int, revision: Revision) -> AnnotationValue:
    """The value of a revision with its offsets on the passage's present text."""
    passages = Passages(db)
    now = passages.get(passage_id).text
    # The text of that time is what the first correction after it replaced.
    then = next((text for text, _, at in reversed(passages.earlier_texts(passage_id)) if at > revision.at), now)
    return revision.value if then == now else reanchor(revision.value, then, now)[0]


def leave(db: Database, sitting: Sitting) -> None:
    """Close the revision of a sitting that has ended."""
    Annotations(db).seal(sitting.passage_id, sitting.token)


def refresh(db: Database, sitting: Sitting) -> None:
    """Take over what somebody else stored, as long as nothing of one's own would be lost by it."""
    sitting.move_to(Passages(db).get(sitting.passage_id).text)
    stored = Annotations(db).get(sitting.passage_id)
    if stored.version != sitting.version and not sitting.conflict and sitting.value == sitting.base:
        sitting.follow(stored)
        sitting.undo.clear()
        sitting.redo.clear()


def readings(db: Database, passage: Passage) -> list[Suggestion]:
    """The readable suggestions on the passage's present text, newest first."""
    now = text_hash(passage.text)
    return [one for one in Suggestions(db).of(passage.id) if one.value is not None and one.text_hash == now]


def proposed(
    found: list[Suggestion], chosen: int | None, *, seen: int | None = None
) -> tuple[Suggestion | None, AnnotationValue | None]:
    """The suggestion beside the value, and what it says.

    The chosen one, else the newest whole reading with the texts that were redrafted since; with ``seen`` as it was
    when that one was the newest.
    """
    found = [one for one in found if seen is None or one.id <= seen]
    if named := next((one for one in found if one.id == chosen), None):
        return named, named.value
    whole = next((one for one in found if one.whole), None)
    redrafts = [one for one in found if not one.whole and (whole is None or one.id > whole.id)]
    value = whole.value if whole else None
    for redraft in reversed(redrafts):
        assert redraft.value is not None
        drafted = redraft.parameters["parts"]
        texts: dict[str, Any] = {name: getattr(redraft.value, name) for name in TEXT_FIELDS if name in drafted}
        value = replace(value or AnnotationValue(), **texts)
    newest = redrafts[0] if redrafts else whole
    return newest, value
