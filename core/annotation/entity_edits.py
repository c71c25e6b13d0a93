"""The actions of the desk on entities and their mentions; see :mod:`core.annotation.editing`.

Each takes the action as :class:`~core.annotation.asked.Asked` and gives the next value.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from core.annotation.asked import MAX_TEXT, Asked
from core.annotation.beside import name_key, overlap
from core.annotation.endings import type_by_ending
from core.annotation.gazetteer import known_names
from core.annotation.items import free_ids, without_entities
from core.annotation.locating import Locator
from core.annotation.reply import MAX_NAME
from core.texts.annotation import CERTAINTIES, CLASSES, AnnotationValue, Entity, Span
from core.texts.variants import search_key
from core.texts.vocabulary import PLACE_TYPES

_TYPES = frozenset(row.code for row in PLACE_TYPES)
_LINES = ("source_label", "modern", "english")
_FIELDS = ("name", "kind", "type", "certainty", "note", *_LINES)


def guess_type(name: str) -> str:
    """The place type that a name tells: known names first, then its ending; ``other`` when neither does."""
    key = search_key(name)
    return _known_types().get(key) or type_by_ending(key)


@cache
def _known_types() -> dict[str, str]:
    return {known.name: known.type for known in reversed(known_names()) if known.type != "person"}


def _name_at(asked: Asked, span: Span, part: str) -> str:
    """The words of a span as a name: a line end in them belongs to the page."""
    name = re.sub(r"\s*\n\s*", "", asked.text[slice(*span)]).strip()
    if not name or len(name) > MAX_NAME:
        raise asked.refused(part)
    return name


def _with_entity(value: AnnotationValue, entity: Entity) -> AnnotationValue:
    return replace(value, entities=tuple(entity if old.id == entity.id else old for old in value.entities))


def _with_mentions(value: AnnotationValue, entity: Entity, spans: Iterable[Span]) -> AnnotationValue:
    return _with_entity(value, replace(entity, mentions=tuple(sorted(set(spans)))))


def add_entity(asked: Asked) -> AnnotationValue:
    """{span, kind, type?}: the words of the span as an entity, or as a mention more of one of that name and class."""
    value, span, kind = asked.value, asked.selection("span"), asked.one_of("kind", CLASSES)
    name = _name_at(asked, span, "span")
    given = asked.one_of("type", _TYPES) if asked.has("type") else ""
    named = (kind, name_key(name))
    same = [entity for entity in value.entities if (entity.kind, name_key(entity.name)) == named]
    if same:
        entity = next((entity for entity in same if entity.type == given), same[0])
        return _with_mentions(value, entity, (*entity.mentions, span))
    type_code = (given or guess_type(name)) if kind == "place" else "other"
    added = Entity(id=next(free_ids(value.entities)), name=name, kind=kind, type=type_code, mentions=(span,))
    return replace(value, entities=(*value.entities, added))


def add_mention(asked: Asked) -> AnnotationValue:
    """{entity, span}: one mention more."""
    entity = asked.entity("entity")
    return _with_mentions(asked.value, entity, (*entity.mentions, asked.selection("span")))


def _mention(asked: Asked, entity: Entity) -> Span:
    span = asked.span("span")
    if span not in entity.mentions:
        raise asked.refused("span")
    return span


def remove_mention(asked: Asked) -> AnnotationValue:
    """{entity, span}: one mention less; the entity stays without any, too."""
    entity = asked.entity("entity")
    gone = _mention(asked, entity)
    return _with_mentions(asked.value, entity, (span for span in entity.mentions if span != gone))


def move_mention(asked: Asked) -> AnnotationValue:
    """{entity, span, to}: other borders; the name follows when this is the only mention and had the name's words."""
    entity, target = asked.entity("entity"), asked.span("to")
    span = _mention(asked, entity)
    if entity.mentions == (span,) and name_key(asked.text[slice(*span)]) == name_key(entity.name):
        entity = replace(entity, name=_name_at(asked, target, "to"))
    return _with_mentions(asked.value, entity, (target if old == span else old for old in entity.mentions))


def mark_all(asked: Asked) -> AnnotationValue:
    """{entity}: every place of the name that no mention of the entity covers yet."""
    entity = asked.entity("entity")
    found = Locator(asked.text).all(entity.name)
    new = (span for span in found if not any(overlap(span, known) for known in entity.mentions))
    return _with_mentions(asked.value, entity, (*entity.mentions, *new))


def set_entity(asked: Asked) -> AnnotationValue:
    """{entity, field, value}: one field; a new name is looked for in the text when there are no mentions."""
    entity, field = asked.entity("entity"), asked.one_of("field", _FIELDS)
    if field == "name":
        return _with_entity(asked.value, _renamed(asked, entity))
    given: str
    if field == "kind":
        given = asked.one_of("value", CLASSES)
    elif field == "type":
        given = asked.one_of("value", _TYPES)
    elif field == "certainty":
        given = asked.one_of("value", CERTAINTIES)
    else:
        given = asked.words("value") if field == "note" else asked.line("value")
    return _with_entity(asked.value, replace(entity, **{field: given}))  # type: ignore[arg-type]


def _renamed(asked: Asked, entity: Entity) -> Entity:
    name = asked.line("value", MAX_NAME)
    if not name_key(name):
        raise asked.refused("value")
    return replace(entity, name=name, mentions=entity.mentions or Locator(asked.text).all(name))


def merge_entity(asked: Asked) -> AnnotationValue:
    """{entity, into}: mentions, relations and note go to ``into``, what joined the two goes."""
    value, gone, into = asked.value, asked.entity("entity"), asked.entity("into")
    if gone is into:
        raise asked.refused("into")
    note = into.note if gone.note in into.note else "；".join(filter(None, (into.note, gone.note)))
    whole = replace(
        into,
        mentions=tuple(sorted({*into.mentions, *gone.mentions})),
        note=note[:MAX_TEXT],
        source_label=into.source_label or gone.source_label,
        modern=into.modern or gone.modern,
        english=into.english or gone.english,
    )
    both = {gone.id, into.id}
    moved = (
        replace(
            relation,
            subject=into.id if relation.subject == gone.id else relation.subject,
            object=into.id if relation.object == gone.id else relation.object,
        )
        for relation in value.relations
        if {relation.subject, relation.object} != both
    )
    merged = without_entities(_with_entity(value, whole), {gone.id})
    return replace(merged, relations=tuple(dict.fromkeys(moved)))


def remove_entity(asked: Asked) -> AnnotationValue:
    """{entity}: it goes with its relations."""
    return without_entities(asked.value, {asked.entity("entity").id})
