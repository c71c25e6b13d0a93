"""What was made from what: which texts of an annotation are older than what they were made from.

Every part of an annotation carries two revisions: the one that last *changed* it, and the one it was last *made* in,
that is changed or confirmed as still right. A text is stale when one of its sources changed after it was made.
Nothing is stale before the first approval: until then all of it is being made.

What the entities say to the texts is several parts, so that a change marks only those it can matter to: what a place
is called in English makes no modern Chinese doubtful, a date no spatial relation, and one more place where a name
stands no text at all. It is a part that datasets ask about: they cut long passages between the entities.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from core.texts.annotation import TEXT_FIELDS, AnnotationValue, TextField

Stamp = tuple[int, int]
"""The revision a part last changed in, and the one it was last made in."""
Made = Mapping[str, Stamp]

_OF_ENTITIES = ("names", "places", "modern_names", "english_names")
PARTS = ("text", "entities", *_OF_ENTITIES, "relations", *TEXT_FIELDS)
APPROVED = "approved"
"""Beside the parts: the revision of the last approval."""
SOURCES: dict[TextField, tuple[str, ...]] = {
    "spatial_relation": ("text", "places", "relations"),
    "modern_chinese": ("text", "names", "modern_names"),
    "english": ("text", "names", "english_names", "modern_chinese"),
    "search_prompt": ("text", "names", "relations", "modern_chinese"),
}


def content(value: AnnotationValue, part: str) -> Any:
    """What a part says to those that are made from it; notes and degrees of certainty do not count."""
    if part == "text":
        return None
    entities, names = value.entities, {entity.id: entity.name for entity in value.entities}
    if part == "entities":
        return tuple(replace(entity, note="", certainty="certain", source_label="") for entity in entities)
    if part == "names":
        return sorted((entity.kind, entity.name, entity.type) for entity in entities)
    if part == "places":
        return sorted((entity.name, entity.type) for entity in entities if entity.kind == "place")
    if part == "modern_names":
        return sorted((entity.name, entity.modern) for entity in entities if entity.modern)
    if part == "english_names":
        return sorted((entity.name, entity.english) for entity in entities if entity.english)
    if part == "relations":
        ends = ((row, names[row.subject], names[row.object]) for row in value.relations)
        return sorted((subject, row.code, object_, row.distance, row.unit) for row, subject, object_ in ends)
    return getattr(value, part)


def stamp(
    made: Made,
    before: AnnotationValue,
    after: AnnotationValue,
    revision: int,
    *,
    approved: bool = False,
    text_changed: bool = False,
    confirmed: Collection[str] = (),
) -> dict[str, Stamp]:
    """The stamps after a save as ``revision``; an approval confirms every part."""
    stamps: dict[str, Stamp] = dict(made)
    for part in PARTS:
        changed, kept = _stamp_of(made, part, revision)
        if (text_changed and part == "text") or content(before, part) != content(after, part):
            changed, kept = revision, revision
        if approved or part in confirmed:
            kept = revision
        stamps[part] = (changed, kept)
    if approved:
        stamps[APPROVED] = (revision, revision)
    return stamps


def _stamp_of(made: Made, part: str, revision: int = 0) -> Stamp:
    """The stamp of a part; those of the entities were one until a save has stamped them by themselves."""
    known = made.get(part) or (made.get("entities") if part in _OF_ENTITIES else None)
    return known or (revision, revision)


def stale_parts(made: Made, value: AnnotationValue) -> dict[TextField, tuple[str, ...]]:
    """Each text that is older than one of its sources, with those sources; an empty text is none."""
    if APPROVED not in made:
        return {}
    stale: dict[TextField, tuple[str, ...]] = {}
    for part, sources in SOURCES.items():
        newer = tuple(source for source in sources if _stamp_of(made, source)[0] > made[part][1])
        if newer and getattr(value, part):
            stale[part] = newer
    return stale
