"""Two people changed one passage: what the second wrote is set aside, compared with what is stored, and merged."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlite_utils import Database

from core.annotation import merging
from core.annotation.merging import Merge, merge
from core.errors import InputError
from core.records import Annotation
from core.texts.annotation import AnnotationValue, Status
from db.annotations import Annotations
from db.connection import transaction
from workbench.tasks.sittings import Sitting, Step

Save = Callable[[AnnotationValue], None]
"""Stores a merged value as the sitting's."""


def conflict_of(db: Database, sitting: Sitting, text: str) -> tuple[Annotation, Merge] | None:
    """What somebody else stored and where it differs from one's own, while a conflict is open."""
    if not sitting.conflict:
        return None
    theirs = Annotations(db).get(sitting.passage_id)
    return theirs, merge(sitting.base, sitting.value, theirs.value, text)


def set_aside(db: Database, sitting: Sitting, who: str, number: int) -> None:
    """Keep the person's value until the conflict is settled, whatever happens to her browser."""
    if sitting.merging is None:
        Annotations(db).set_aside(
            sitting.passage_id, sitting=sitting.token, who=who, base=sitting.base, value=sitting.value, seq=number
        )


def resolve(db: Database, sitting: Sitting, action: Mapping[str, Any], save: Save) -> None:
    """Merge as the person chose, point by point; InputError ``conflict_moved`` when there is something newer."""
    choices = action.get("choices")
    if not sitting.conflict or not isinstance(choices, Mapping):
        raise InputError("action_invalid", what="resolve.choices")
    if theirs := _theirs_as_shown(db, sitting, action):
        value = merging.resolve(sitting.base, sitting.value, theirs.value, choices)
        _settle(db, sitting, theirs, lambda: save(value))


def take_theirs(db: Database, sitting: Sitting, action: Mapping[str, Any]) -> None:
    """Drop one's own; undo brings it back."""
    if sitting.conflict and (theirs := _theirs_as_shown(db, sitting, action)):
        _settle(db, sitting, theirs, None)


def open_unmerged(db: Database, sitting: Sitting, action: Mapping[str, Any]) -> None:
    """Compare what was set aside before, by its id, with what is stored."""
    rows = Annotations(db).unmerged(sitting.passage_id)
    row = next((row for row in rows if row.id == action.get("id")), None)
    if row is None or sitting.conflict:
        raise InputError("action_invalid", what="id")
    sitting.merging, sitting.conflict = row, True
    sitting.base, sitting.value = row.base, row.value


def close_unmerged(db: Database, sitting: Sitting) -> None:
    """Not now: what was set aside stays where it is."""
    if sitting.merging:
        sitting.follow(Annotations(db).get(sitting.passage_id))


def _theirs_as_shown(db: Database, sitting: Sitting, action: Mapping[str, Any]) -> Annotation | None:
    """What is stored, if it is still what the person compared with; else she is shown the difference anew.

    None when there is nothing to settle any more.
    """
    annotations = Annotations(db)
    theirs = annotations.get(sitting.passage_id)
    if theirs.version != action.get("theirs"):
        raise InputError("conflict_moved", who=theirs.updated_by)
    asides = annotations.unmerged(sitting.passage_id)
    if sitting.merging and sitting.merging.id not in {row.id for row in asides}:
        sitting.follow(theirs)
        sitting.error = InputError("aside_settled")
        return None
    return theirs


def _settle(db: Database, sitting: Sitting, theirs: Annotation, save: Callable[[], None] | None) -> None:
    """End a conflict by saving a merged value, or without one; either way undo leads back to one's own."""
    annotations = Annotations(db)
    mine = Step(sitting.value, Status.DRAFT)
    asides = annotations.unmerged(sitting.passage_id)
    kept = sitting.merging or next((row for row in asides if row.sitting == sitting.token), None)
    sitting.follow(theirs)
    sitting.redo.clear()
    sitting.undo[:] = [mine]
    with transaction(db):
        if kept:
            annotations.settle(kept.id)
        if save is not None:
            sitting.undo.append(Step(theirs.value, theirs.status))
            save()
