"""What the desk shows, as plain data in the reader's language."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlite_utils import Database

from core.annotation.beside import Beside
from core.annotation.difference import Change
from core.annotation.items import Item, items
from core.annotation.lint import lint
from core.annotation.merging import Point
from core.annotation.renderings import rendered_all
from core.annotation.space import contradictions, layout
from core.annotation.staleness import stale_parts
from core.dataset.captions import LIMIT
from core.records import Suggestion
from core.texts.annotation import CERTAINTIES, CLASSES, TEXT_FIELDS, AnnotationValue, Entity, Status
from core.texts.passage import Passage
from core.texts.vocabulary import PLACE_TYPES, RELATION_TYPES, PlaceType, RelationType, place_type, relation_type
from db.annotations import Annotations
from workbench.components.shell import current_language, local_time, t
from workbench.i18n import catalogue
from workbench.tasks.conflicts import conflict_of
from workbench.tasks.datasets import made_before
from workbench.tasks.sittings import Sitting, proposed, readings, text_id

KEYS = (
    ("n p", "move"),
    ("j", "jump"),
    ("1 2 3 4 5 6", "classes"),
    ("e", "mark"),
    ("w b", "entities"),
    ("[ ] { }", "borders"),
    ("m", "mark_all"),
    ("r", "relate"),
    (". ,", "items"),
    ("a x", "decide"),
    ("A", "accept_all"),
    ("Ctrl+Enter", "approve"),
    ("Ctrl+Shift+Enter", "approve_next"),
    ("Ctrl+Z Ctrl+Y", "undo"),
    ("Ctrl+Del", "remove_mention"),
    ("Ctrl+Shift+Del", "remove_entity"),
    ("t i Esc", "fields"),
    ("v", "vertical"),
    ("g", "guidelines"),
)


@cache
def _strings(language: str) -> dict[str, str]:
    """Every sentence that the component itself says."""
    said = {key.removeprefix("desk."): entry[language] for key, entry in catalogue().items() if key.startswith("desk.")}
    for name, codes in (("class", CLASSES), ("certainty", CERTAINTIES), ("status", [s.value for s in Status])):
        section = {"class": "classes"}.get(name, name)
        said |= {f"{name}_{code}": catalogue()[f"{section}.{code}"][language] for code in codes}
    return said


@cache
def _lists(language: str) -> dict[str, Any]:
    """The closed lists, as pairs of code and name."""
    return {
        "classes": [(code, catalogue()[f"classes.{code}"][language]) for code in CLASSES],
        "certainties": [(code, catalogue()[f"certainty.{code}"][language]) for code in CERTAINTIES],
        "types": [(row.code, getattr(row, language)) for row in PLACE_TYPES],
        "relations": [(row.code, getattr(row, language)) for row in RELATION_TYPES],
        "keys": [(keys, catalogue()[f"desk_keys.{name}"][language]) for keys, name in KEYS],
    }


def desk_data(
    db: Database, passage: Passage, sitting: Sitting, *, queue: Mapping[str, Any], asks: list[tuple[str, str]]
) -> dict[str, Any]:
    """Everything the component draws for one passage."""
    language, value = current_language(), sitting.value
    found = readings(db, passage)
    suggestion, suggested = proposed(found, sitting.suggestion_id)
    stored = Annotations(db).get(passage.id)
    grave = {index for group in contradictions(value) for index in group}
    return {
        "passage": passage.id,
        "text": passage.text,
        "text_id": text_id(passage.text),
        "citation": _citation(passage),
        "sitting": sitting.token,
        "version": sitting.version,
        "revision": sitting.revision,
        "ack": sitting.ack,
        "status": sitting.status.value,
        "untouched": sitting.untouched,
        "saved": t("review.saved_at", at=local_time(stored.updated_at), who=stored.updated_by)
        if stored.revision and not sitting.conflict
        else "",
        "value": _value(value),
        "items": _items(suggested, value) if suggested else [],
        "suggestion": {"id": suggestion.id, "label": label_of(suggestion)} if suggestion else None,
        "newest": found[0].id if found else None,
        "suggestions": [{"id": one.id, "label": label_of(one)} for one in found],
        "highlights": {
            name: [[entity, *span] for entity, span in rendered_all(value, name, getattr(value, name))]
            for name in TEXT_FIELDS
        },
        "findings": [
            {
                "where": one.where,
                "text": t(one.key, name=one.name, **one.details),
                "grave": one.code == "relation_contradiction",
            }
            for one in lint(value, passage.text)
        ],
        "stale": _stale(sitting, stored.made),
        "limits": {"search_prompt": LIMIT},
        "drawing": _drawing(value, grave),
        "contradictions": _contradictions(value),
        "queue": queue,
        "asks": asks,
        "undo": bool(sitting.undo),
        "redo": bool(sitting.redo),
        "chosen": {"n": sitting.made[0], "entity": sitting.made[1]} if sitting.made else None,
        "error": _error(sitting),
        "notes": [*_notes(passage, sitting, suggestion), *_made_before(db, passage.id)],
        "conflict": _conflict(db, passage, sitting),
        "merging": sitting.merging is not None,
        "unmerged": [
            {"id": row.id, "text": t("desk.set_aside", who=row.who, at=local_time(row.at))}
            for row in Annotations(db).unmerged(passage.id)
        ],
        "language": language,
        "strings": _strings(language),
        **_lists(language),
    }


def _citation(passage: Passage) -> str:
    return " · ".join(part for part in (passage.source, passage.chapter, passage.edition, passage.page) if part)


def label_of(suggestion: Suggestion) -> str:
    """A suggestion by who made it, with what, and when."""
    parts = (suggestion.provider, suggestion.model, suggestion.prompt_version, local_time(suggestion.created_at))
    return f"#{suggestion.id} " + " · ".join(part for part in parts if part)


def _entity(entity: Entity) -> dict[str, Any]:
    names = ("id", "name", "kind", "type", "source_label", "certainty", "note", "modern", "english")
    return {name: getattr(entity, name) for name in names} | {"mentions": [list(span) for span in entity.mentions]}


def _value(value: AnnotationValue) -> dict[str, Any]:
    return {
        "entities": [_entity(entity) for entity in value.entities],
        "relations": [_relation(relation) for relation in value.relations],
        **{name: getattr(value, name) for name in (*TEXT_FIELDS, "note")},
        "alternatives": [{"field": one.field, "text": one.text, "note": one.note} for one in value.alternatives],
    }


def _relation(relation: Any) -> dict[str, Any]:
    names = ("subject", "code", "object", "distance", "unit", "certainty", "note")
    return {name: getattr(relation, name) for name in names} | {
        "evidence": list(relation.evidence) if relation.evidence else None
    }


def _items(suggested: AnnotationValue, value: AnnotationValue) -> list[dict[str, Any]]:
    beside = Beside(suggested, value)
    names = {entity.id: entity.name for entity in suggested.entities}
    return [_item(item, beside, names) for item in items(suggested, value, beside)]


def _item(item: Item, beside: Beside, names: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"key": item.key, "part": item.part, "state": item.state, "text": item.text}
    if item.entity:
        other = beside.end(item.entity.id) if item.state in ("accepted", "edited") else None
        row |= {"entity": _entity(item.entity), "of": other.id if other else None}
        if other and item.state == "edited":
            row["says"] = _says(item.entity, other)
    if item.relation:
        row |= {"relation": _relation(item.relation)}
        row |= {"subject": names[item.relation.subject], "object": names[item.relation.object]}
    return row


def _says(suggested: Entity, entity: Entity) -> str:
    """What a suggestion says otherwise than the scholar, in a few words."""
    language = current_language()
    if suggested.name != entity.name:
        return suggested.name
    if suggested.kind != entity.kind:
        return t(f"classes.{suggested.kind}")
    if suggested.type != entity.type:
        said: str = getattr(place_type(suggested.type), language)
        return said
    return t("desk.more_mentions", count=len(set(suggested.mentions) - set(entity.mentions)))


def _stale(sitting: Sitting, made: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    return {
        part: t("desk.stale_because", sources=t("desk.and").join(t(f"parts.{source}") for source in sources))
        for part, sources in stale_parts(made, sitting.value).items()
    }


def _drawing(value: AnnotationValue, grave: set[int]) -> dict[str, Any]:
    language = current_language()
    places = layout(value)
    return {
        "nodes": [
            {"id": entity.id, "name": entity.name, "x": places[entity.id][0], "y": places[entity.id][1]}
            for entity in value.entities
            if entity.id in places
        ],
        "edges": [
            {
                "from": relation.subject,
                "to": relation.object,
                "label": getattr(relation_type(relation.code), language)
                + (f" {relation.distance}{relation.unit}" if relation.distance else ""),
                "bad": index in grave,
            }
            for index, relation in enumerate(value.relations)
            if relation.subject in places and relation.object in places
        ],
    }


def _contradictions(value: AnnotationValue) -> list[str]:
    language = current_language()
    names = {entity.id: entity.name for entity in value.entities}
    said = [
        f"{names[row.subject]} {getattr(relation_type(row.code), language)} {names[row.object]}"
        for row in value.relations
    ]
    return [" ↔ ".join(said[index] for index in group) for group in contradictions(value)]


def _error(sitting: Sitting) -> str:
    return t(f"errors.{sitting.error.code}", **sitting.error.details) if sitting.error else ""


def _notes(passage: Passage, sitting: Sitting, suggestion: Suggestion | None) -> list[str]:
    notes = []
    if passage.deleted_at:
        notes.append(t("review.deleted"))
    if sitting.untouched and suggestion:
        notes.append(t("review.unconfirmed", model=f"{suggestion.provider} · {suggestion.model}"))
    if suggestion:
        for problem in suggestion.parameters.get("problems", []):
            said = {name: problem[name] for name in ("name", "label")}
            notes.append("⚠ " + t(f"problems.{problem['code']}", **said))
    return notes


def _made_before(db: Database, passage_id: int) -> list[str]:
    """Which datasets and runs are older than what the passage says now."""
    named = zip(("datasets", "runs"), made_before(db, passage_id), strict=True)
    said = [t(f"desk.{kind}_named", names=", ".join(names)) for kind, names in named if names]
    return [t("desk.made_before", names=t("desk.and").join(said))] if said else []


def _conflict(db: Database, passage: Passage, sitting: Sitting) -> dict[str, Any] | None:
    found = conflict_of(db, sitting, passage.text)
    if found is None:
        return None
    theirs, merge = found
    who = theirs.updated_by or t("shell.somebody")
    sentence = "desk.merging" if sitting.merging else "desk.conflict"
    return {
        "text": t(sentence, who=who, at=local_time(theirs.updated_at) if theirs.updated_at else ""),
        "short": t("desk.conflict_short", who=who),
        "theirs": who,
        "version": theirs.version,
        "points": [
            {
                "key": point.key,
                "title": title_of(point),
                "mine": words_of(point.field, point.mine),
                "theirs": words_of(point.field, point.theirs),
                "only": point.only,
            }
            for point in merge.points
        ],
    }


def title_of(point: Point | Change) -> str:
    """Where two values differ, in words."""
    name = point.name
    if point.part == "relation" and point.code:
        name = f"{point.subject} {words_of('code', point.code)} {point.object}"
    elif point.part == "alternative" and point.name:
        name = t(f"parts.{point.name}")
    return " · ".join(part for part in (t(f"parts.{point.part}"), name, field_name(point.field)) if part)


def words_of(field: str, said: str) -> str:
    """A value of a field as people read it: codes by their names."""
    language = current_language()
    if field == "kind" and said in CLASSES:
        return t(f"classes.{said}")
    if field == "certainty" and said in CERTAINTIES:
        return t(f"certainty.{said}")
    rows: dict[str, tuple[PlaceType | RelationType, ...]] = {"type": PLACE_TYPES, "code": RELATION_TYPES}
    named: str = next((getattr(row, language) for row in rows.get(field, ()) if row.code == said), said)
    return named


def field_name(field: str) -> str:
    """The name of an entity's or relation's field."""
    return t(f"fields.{field}") if field else ""
