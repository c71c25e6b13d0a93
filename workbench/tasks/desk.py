"""What a person does at the desk: her actions applied, saved and undone.

The browser sends every action with a number until that number is acknowledged; an action is applied once, also when
the server was killed in between, because its number is stored in the same transaction as what it changed.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlite_utils import Database

from core.annotation.asked import MAX_TEXT
from core.annotation.editing import apply, touches
from core.annotation.items import accept_all, items
from core.annotation.staleness import SOURCES
from core.errors import ConflictError, InputError, SongclipError
from core.texts.annotation import AnnotationValue, Entity, Status
from core.texts.offsets import reanchor
from db.annotations import Annotations
from db.passages import Passages
from workbench.tasks import conflicts
from workbench.tasks.sittings import Batch, Sitting, Step, on_text_now, proposed, readings

logger = logging.getLogger(__name__)

UNDO_STEPS = 100
_SAME_STEP_SECONDS = 10.0
"""Typing on in one field is one step to undo, until the person pauses for so long."""


@dataclass
class Outcome:
    """What the page has to do after a batch: go to another passage, or ask somebody something.

    ``left_open`` are the suggested items that an approval, after which one goes on, left undecided.
    """

    go: str | int | None = None
    left_open: int = 0
    asked: list[Mapping[str, Any]] = field(default_factory=list)


def receive(db: Database, sitting: Sitting, batch: Batch, *, who: str) -> Outcome:
    """Apply the actions of a batch that were not applied yet, in their order.

    An action is done whole or not at all. What cannot be applied changes nothing and stands in ``sitting.error``; the
    actions after it are still applied. A conflict is kept in the sitting and in the database, never resolved
    silently. What the system refuses (a locked database) is raised, and the action is not acknowledged.
    """
    outcome = Outcome()
    seen = sitting.text
    bench = _Bench(db, sitting, who, outcome)
    for action in sorted(batch["actions"], key=lambda one: int(one["n"])):
        number = int(action["n"])
        if number <= sitting.ack:
            continue
        before = replace(sitting, undo=list(sitting.undo), redo=list(sitting.redo))
        sitting.error = None
        try:
            bench.do(number, _moved_action(action, seen, sitting.text))
            if sitting.conflict:
                conflicts.set_aside(db, sitting, who, number)
        except SongclipError as error:
            logger.warning("action %s at passage %s: %s", action.get("do"), sitting.passage_id, error.code)
            _take_back(sitting, before)
            sitting.error = error
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            logger.warning("action %s at passage %s: %r", action.get("do"), sitting.passage_id, error)
            _take_back(sitting, before)
            sitting.error = InputError("action_invalid", what=str(action.get("do"))[:40])
        except BaseException:
            _take_back(sitting, before)
            raise
        sitting.ack = number
    return outcome


def _take_back(sitting: Sitting, before: Sitting) -> None:
    for name in before.__dataclass_fields__:
        setattr(sitting, name, getattr(before, name))


class _Bench:
    """Carries out one action after another."""

    def __init__(self, db: Database, sitting: Sitting, who: str, outcome: Outcome) -> None:
        self.db, self.sitting, self.who, self.outcome = db, sitting, who, outcome
        self.annotations = Annotations(db)
        self.passage = Passages(db).get(sitting.passage_id)
        sitting.move_to(self.passage.text)

    def do(self, number: int, action: Mapping[str, Any]) -> None:
        known: dict[str, Callable[[int, Mapping[str, Any]], None]] = {
            "go": self._go,
            "guidelines": self._ask,
            "suggest": self._ask,
            "redraft": self._ask,
            "compare": self._compare,
            "undo": lambda n, _: self._back(n, "undone", self.sitting.undo, self.sitting.redo),
            "redo": lambda n, _: self._back(n, "redone", self.sitting.redo, self.sitting.undo),
            "approve": self._approve,
            "submit": lambda n, _: self._end(n, self.sitting.value, Status.SUBMITTED),
            "discard": lambda n, _: self._end(n, self.sitting.value, Status.DISCARDED),
            "confirm": self._confirm,
            "restore": self._restore,
            "resolve": self._resolve,
            "take_theirs": lambda _, asked: conflicts.take_theirs(self.db, self.sitting, asked),
            "open_unmerged": lambda _, asked: conflicts.open_unmerged(self.db, self.sitting, asked),
            "close_unmerged": lambda *_: conflicts.close_unmerged(self.db, self.sitting),
        }
        known.get(str(action.get("do")), self._edit)(number, action)

    def _go(self, _: int, action: Mapping[str, Any]) -> None:
        to = action.get("to")
        if isinstance(to, int):
            Passages(self.db).get(to)
        self.outcome.go = to if isinstance(to, int) or to in ("next", "previous") else None

    def _ask(self, _: int, action: Mapping[str, Any]) -> None:
        self.outcome.asked.append(action)

    def _compare(self, _: int, action: Mapping[str, Any]) -> None:
        self.sitting.suggestion_id = int(action["suggestion"])

    def _suggested(self, action: Mapping[str, Any]) -> AnnotationValue | None:
        """The suggestion as it lay before the person, whatever has arrived since."""
        seen = action.get("suggestion")
        found = readings(self.db, self.passage)
        return proposed(found, self.sitting.suggestion_id, seen=seen if isinstance(seen, int) else None)[1]

    def _edit(self, number: int, action: Mapping[str, Any]) -> None:
        sitting = self.sitting
        self._not_merging()
        words = action.get("value")
        if isinstance(words, str) and len(words) > MAX_TEXT:
            raise InputError("text_too_long", where=f"#{sitting.passage_id}", length=len(words), limit=MAX_TEXT)
        meant = _meant(action, sitting.value)
        if meant is None:  # the second click of two, or a colleague was faster: it is gone already
            return
        suggested = self._suggested(action) if _needs(action) else None
        value = apply(sitting.value, self.passage.text, meant, suggested)
        if value == sitting.value:
            return
        if action.get("do") == "add_entity":
            sitting.made = number, _made(sitting.value, value, tuple(action["span"]))
        self._remember(touches(action))
        self._save(number, value, Status.DRAFT, "edited")

    def _not_merging(self) -> None:
        if self.sitting.merging:
            raise InputError("conflict_open")

    def _remember(self, text_field: str = "") -> None:
        """Put what stands now on the undo pile; typing on in one field is one step."""
        sitting, now = self.sitting, time.monotonic()
        last = sitting.undo[-1] if sitting.undo else None
        if text_field and last and last.field == text_field and now - last.at < _SAME_STEP_SECONDS:
            sitting.undo[-1] = replace(last, at=now)
        else:
            sitting.undo.append(Step(sitting.value, sitting.status, text_field, now))
            del sitting.undo[:-UNDO_STEPS]
        sitting.redo.clear()

    def _save(self, number: int, value: AnnotationValue, status: Status, why: str, **more: Any) -> None:
        sitting = self.sitting
        if sitting.conflict and status is not Status.DRAFT:
            raise InputError("conflict_open")
        if not sitting.conflict:
            try:
                saved = self.annotations.save(
                    sitting.passage_id,
                    value,
                    status,
                    version=sitting.version,
                    who=self.who,
                    why=why,
                    sitting=sitting.token,
                    seq=number,
                    **more,
                )
            except ConflictError:
                sitting.conflict = True
            else:
                sitting.follow(saved)
                return
        # An approval over somebody else's change is no approval: her words are kept, the rest is for her to say again.
        sitting.value = value

    def _back(self, number: int, why: str, pile: list[Step], other: list[Step]) -> None:
        sitting = self.sitting
        self._not_merging()
        if not pile:
            return
        step = pile.pop()
        other.append(Step(sitting.value, sitting.status))
        plain = step.status is Status.DRAFT and sitting.status is Status.DRAFT
        status = Status.DRAFT if sitting.conflict else step.status
        self._save(number, step.value, status, "edited" if plain else why)

    def _end(self, number: int, value: AnnotationValue, status: Status) -> None:
        self._remember()
        self._save(number, value, status, status.value)

    def _approve(self, number: int, action: Mapping[str, Any]) -> None:
        sitting = self.sitting
        value, suggested = sitting.value, self._suggested(action)
        if action.get("accept_all") and suggested:
            value = accept_all(value, suggested)
        if sitting.untouched and suggested and value == sitting.value:
            raise InputError("nothing_accepted")
        if sitting.status is not Status.APPROVED or value != sitting.value:
            self._end(number, value, Status.APPROVED)
        if action.get("next") and not sitting.conflict:
            self.outcome.go = "next"
            found = items(suggested, value) if suggested else ()
            self.outcome.left_open = sum(item.state == "undecided" for item in found)

    def _confirm(self, number: int, action: Mapping[str, Any]) -> None:
        part = str(action.get("field"))
        if part not in SOURCES:
            raise InputError("action_invalid", what="field")
        sitting = self.sitting
        why = "edited" if sitting.status is Status.DRAFT else "confirmed"
        self._save(number, sitting.value, sitting.status, why, confirmed=(part,))

    def _restore(self, number: int, action: Mapping[str, Any]) -> None:
        self._not_merging()
        revision = self.annotations.at(self.sitting.passage_id, int(action["revision"]))
        self._remember()
        value = on_text_now(self.db, self.sitting.passage_id, revision)
        self._save(number, value, Status.DRAFT, "restored")

    def _resolve(self, number: int, action: Mapping[str, Any]) -> None:
        def save(value: AnnotationValue) -> None:
            self._save(number, value, Status.DRAFT, "merged")

        conflicts.resolve(self.db, self.sitting, action, save)


def _moved_action(action: Mapping[str, Any], seen: str, now: str) -> Mapping[str, Any]:
    """An action whose places were chosen on an earlier text of the passage; what cannot be placed is left out."""
    if seen == now:
        return action

    def moved(given: Any) -> Any:
        if not (isinstance(given, list) and len(given) == 2 and all(isinstance(place, int) for place in given)):
            return given
        whole = 0 <= given[0] < given[1] <= len(seen)
        value = AnnotationValue(entities=(Entity("e1", "e1", mentions=((given[0], given[1]),)),))
        mentions = reanchor(value, seen, now)[0].entities[0].mentions if whole else ()
        return list(mentions[0]) if mentions else None

    return {name: moved(given) for name, given in action.items()}


def _meant(action: Mapping[str, Any], value: AnnotationValue) -> Mapping[str, Any] | None:
    """An action on the n-th relation or reading with its place as it is now, found by what the person saw there.

    None when that is gone: a second click must not hit what has moved up.
    """
    was, index = action.get("was"), action.get("index")
    if was is None or not isinstance(index, int):
        return action
    relations = str(action.get("do")).endswith("_relation")
    shown = (
        [[row.subject, row.code, row.object] for row in value.relations]
        if relations
        else [[row.field, row.text] for row in value.alternatives]
    )
    places = [place for place, one in enumerate(shown) if one == was]
    if not places:
        return None
    return {**action, "index": min(places, key=lambda place: abs(place - index))}


def _needs(action: Mapping[str, Any]) -> bool:
    """Whether an action is about the suggestion."""
    return action.get("do") in ("accept", "reject", "undecide", "accept_all")


def _made(before: AnnotationValue, after: AnnotationValue, span: tuple[int, ...]) -> str:
    """The id of the entity that an action made, or gave a mention."""
    changed = [entity for entity in after.entities if before.entity(entity.id) != entity]
    return next((entity.id for entity in changed if span in entity.mentions), "")


def restore(db: Database, sitting: Sitting, revision: int, *, who: str) -> None:
    """Make an earlier revision the present one, as a new revision; a refusal stands in ``sitting.error``."""
    bench = _Bench(db, sitting, who, Outcome())
    before = replace(sitting, undo=list(sitting.undo), redo=list(sitting.redo))
    sitting.error = None
    try:
        # No action of the browser's: it takes none of her numbers.
        bench.do(sitting.ack, {"do": "restore", "revision": revision})
        if sitting.conflict:
            conflicts.set_aside(db, sitting, who, sitting.ack)
    except SongclipError as error:
        _take_back(sitting, before)
        sitting.error = error
