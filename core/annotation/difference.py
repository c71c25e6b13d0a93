"""What changed between two states of an annotation, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from core.annotation.pairing import (
    ENTITIES,
    ENTITY_FIELDS,
    LINKS,
    READINGS,
    RELATION_FIELDS,
    entity_words,
    links,
    paired,
    relation_words,
    shown,
)
from core.texts.annotation import TEXT_FIELDS, AnnotationValue, Entity, Relation

What = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed.

    ``part``: entity, relation, alternative, rejected, note, or a text field. ``name``: the entity's, ``A east_of B``
    (in ``subject``, ``code`` and ``object`` as well), the text field of an alternative, or the rejected key. ``field``
    is empty for what was added or removed, and for texts. ``before`` and ``after`` are to be read by people; of kind,
    type, code and certainty they hold the code.
    """

    part: str
    what: What
    name: str = ""
    field: str = ""
    before: str = ""
    after: str = ""
    subject: str = ""
    code: str = ""
    object: str = ""


def changes(before: AnnotationValue, after: AnnotationValue, text: str) -> tuple[Change, ...]:
    """What changed from one value to the other on the passage ``text``; the order of things is no change.

    Entities are one by id (where their words agree), then by class and name; relations by the entities they join and
    code, then by the entities. Mentions read ``德寿宫 1–3``, counted from 1.
    """
    entities = paired(before.entities, after.entities, ENTITIES)
    return (
        *_entities(before, after, entities, text),
        *_relations(before, after, entities, text),
        *_texts(before, after),
        *_alternatives(before, after),
        *_rejected(before, after),
    )


def _entities(before: AnnotationValue, after: AnnotationValue, pairs: dict[int, int], text: str) -> Iterator[Change]:
    kept = set(pairs.values())
    for place, entity in enumerate(before.entities):
        if place not in kept:
            yield Change("entity", "removed", entity.name, before=entity_words(entity, text))
    for place, entity in enumerate(after.entities):
        if place not in pairs:
            yield Change("entity", "added", entity.name, after=entity_words(entity, text))
        else:
            old = before.entities[pairs[place]]
            yield from _fields(Change("entity", "changed", entity.name), old, entity, ENTITY_FIELDS, text)


def _fields(
    change: Change, old: Entity | Relation, new: Entity | Relation, names: tuple[str, ...], text: str
) -> Iterator[Change]:
    for field in names:
        if getattr(old, field) != getattr(new, field):
            yield replace(change, field=field, before=shown(old, field, text), after=shown(new, field, text))


def _relations(before: AnnotationValue, after: AnnotationValue, pairs: dict[int, int], text: str) -> Iterator[Change]:
    first_new = len(before.entities)
    old = links(before, {entity.id: place for place, entity in enumerate(before.entities)})
    new = links(after, {e.id: pairs.get(place, first_new + place) for place, e in enumerate(after.entities)})
    same = paired(old, new, LINKS)
    kept = set(same.values())
    for place, link in enumerate(old):
        if place not in kept:
            yield replace(_of_relation(link.relation, before, "removed"), before=relation_words(link.relation, text))
    for place, link in enumerate(new):
        if place not in same:
            yield replace(_of_relation(link.relation, after, "added"), after=relation_words(link.relation, text))
        else:
            change = _of_relation(link.relation, after, "changed")
            yield from _fields(change, old[same[place]].relation, link.relation, RELATION_FIELDS, text)


def _of_relation(relation: Relation, value: AnnotationValue, what: What) -> Change:
    subject, object_ = (
        entity.name if entity else "" for entity in map(value.entity, (relation.subject, relation.object))
    )
    name = f"{subject} {relation.code} {object_}"
    return Change("relation", what, name, subject=subject, code=relation.code, object=object_)


def _texts(before: AnnotationValue, after: AnnotationValue) -> Iterator[Change]:
    for field in (*TEXT_FIELDS, "note"):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield Change(field, "added" if not old else "removed" if not new else "changed", before=old, after=new)


def _alternatives(before: AnnotationValue, after: AnnotationValue) -> Iterator[Change]:
    pairs = paired(before.alternatives, after.alternatives, READINGS)
    kept = set(pairs.values())
    for place, reading in enumerate(before.alternatives):
        if place not in kept:
            yield Change("alternative", "removed", reading.field, before=reading.text)
    for place, reading in enumerate(after.alternatives):
        if place not in pairs:
            yield Change("alternative", "added", reading.field, after=reading.text)
        elif (old := before.alternatives[pairs[place]]).note != reading.note:
            yield Change("alternative", "changed", reading.field, "note", old.note, reading.note)


def _rejected(before: AnnotationValue, after: AnnotationValue) -> Iterator[Change]:
    for key in before.rejected:
        if key not in after.rejected:
            yield Change("rejected", "removed", key, before=key)
    for key in after.rejected:
        if key not in before.rejected:
            yield Change("rejected", "added", key, after=key)
