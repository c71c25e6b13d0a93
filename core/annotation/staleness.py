"""What was made from what: which texts of an annotation are older than what they were made from.

Every part of an annotation carries two revisions: the one that last *changed* it, and the one it was last *made* in,
that is changed or confirmed as still right. A text is stale when one of its sources changed after it was made.
Nothing is stale before the first approval: until then all of it is being made.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from core.texts.annotation import TEXT_FIELDS, AnnotationValue, TextField

Stamp = tuple[int, int]
"""The revision a part last changed in, and the one it was last made in."""
Made = Mapping[str, Stamp]

PARTS = ("text", "entities", "relations", *TEXT_FIELDS)
APPROVED = "approved"
"""Beside the parts: the revision of the last approval."""
SOURCES: dict[TextField, tuple[str, ...]] = {
    "spatial_relation": ("text", "entities", "relations"),
    "modern_chinese": ("text", "entities"),
    "english": ("text", "entities", "modern_chinese"),
    "search_prompt": ("text", "entities", "relations", "modern_chinese"),
}


def content(value: AnnotationValue, part: str) -> Any:
    """What a part says to those that are made from it; notes and degrees of certainty do not count."""
    if part == "text":
        return None
    if part == "entities":
        return tuple(replace(entity, note="", certainty="certain", source_label="") for entity in value.entities)
    if part == "relations":
        return tuple(replace(relation, note="", certainty="certain") for relation in value.relations)
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
        changed, kept = stamps.get(part, (revision, revision))
        if (text_changed and part == "text") or content(before, part) != content(after, part):
            changed, kept = revision, revision
        if approved or part in confirmed:
            kept = revision
        stamps[part] = (changed, kept)
    if approved:
        stamps[APPROVED] = (revision, revision)
    return stamps


def stale_parts(made: Made, value: AnnotationValue) -> dict[TextField, tuple[str, ...]]:
    """Each text that is older than one of its sources, with those sources; an empty text is none."""
    if APPROVED not in made:
        return {}
    stale: dict[TextField, tuple[str, ...]] = {}
    for part, sources in SOURCES.items():
        newer = tuple(source for source in sources if made[source][0] > made[part][1])
        if newer and getattr(value, part):
            stale[part] = newer
    return stale
