"""In which fields two values of one passage differ."""

from collections import Counter
from dataclasses import replace
from typing import Any

from core.texts.annotation import TEXT_FIELDS, AnnotationValue

FIELDS = ("entities", "relations", *TEXT_FIELDS, "note", "alternatives")
"""What a value says of its passage; that a suggestion was refused says nothing of it."""


def differing_fields(one: AnnotationValue, other: AnnotationValue) -> tuple[str, ...]:
    """Those of :data:`FIELDS` in which two values of a passage differ.

    Ids are local to a value, and the order of entities and relations says nothing.
    """
    mine, theirs = _said(one), _said(other)
    return tuple(name for name in FIELDS if mine[name] != theirs[name])


def _said(value: AnnotationValue) -> dict[str, Any]:
    names = {entity.id: entity.name for entity in value.entities}
    return {
        "entities": Counter(replace(entity, id="") for entity in value.entities),
        "relations": Counter(
            replace(relation, subject=names.get(relation.subject, ""), object=names.get(relation.object, ""))
            for relation in value.relations
        ),
        **{name: getattr(value, name) for name in FIELDS[2:]},
    }
