"""Which parts of two readings of one passage are the same part: entities, relations, competing readings.

Ids hold within one annotation's history; between two readings that grew apart the same id may mean two things, so an
id alone counts last.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, TypeVar

from core.annotation.beside import name_key, overlap
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation, Span

T = TypeVar("T")
Pass = tuple[Callable[[T], Hashable], Callable[[T, T], bool]]
"""A key by which two parts may be one, and whether two with that key are."""

ENTITY_FIELDS = tuple(field.name for field in fields(Entity) if field.name != "id")
RELATION_FIELDS = tuple(field.name for field in fields(Relation) if field.name not in ("subject", "object"))


@dataclass(frozen=True, slots=True)
class Link:
    """A relation whose ends are known beyond one reading: ``subject`` and ``object`` are numbers of entities."""

    subject: int
    object: int
    relation: Relation


def links(value: AnnotationValue, numbers: Mapping[str, int]) -> list[Link]:
    """The value's relations, their ends by the number of each entity id."""
    return [
        Link(numbers[relation.subject], numbers[relation.object], relation)
        for relation in value.relations
        if relation.subject in numbers and relation.object in numbers
    ]


def paired(before: Sequence[T], after: Sequence[T], passes: Sequence[Pass[T]]) -> dict[int, int]:
    """The place in ``before`` for each place in ``after`` that has one; each pass pairs what the ones before left."""
    pairs: dict[int, int] = {}
    left = dict.fromkeys(range(len(before)))
    for key, agree in passes:
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        for place in left:
            waiting[key(before[place])].append(place)
        for place, part in enumerate(after):
            if place not in pairs and (queue := waiting.get(key(part))):
                found = next((other for other in queue if agree(before[other], part)), None)
                if found is not None:
                    queue.remove(found)
                    del left[found]
                    pairs[place] = found
    return pairs


def _always(_: object, __: object) -> bool:
    return True


def _something_shared(one: Entity, other: Entity) -> bool:
    if name_key(one.name) == name_key(other.name):
        return True
    return any(overlap(span, theirs) for span in one.mentions for theirs in other.mentions)


def _may_be_renamed(one: Entity, other: Entity) -> bool:
    """Whether an id alone may join the two: a free id is given again, so other words elsewhere are another entity."""
    return not (one.mentions and other.mentions)


def _same_words(link: Link) -> Hashable:
    relation = link.relation
    return (link.subject, link.object, *(getattr(relation, field) for field in RELATION_FIELDS))


_BY_NAME: Pass[Entity] = (lambda entity: (entity.kind, name_key(entity.name)), _always)
ENTITIES: Sequence[Pass[Entity]] = (
    (lambda entity: entity.id, _something_shared),
    _BY_NAME,
    (lambda entity: entity.id, _may_be_renamed),
)
"""Two states of one annotation."""
STRANGE_ENTITIES = ENTITIES[:2]
"""Two readings of which nobody knows whether their ids have one origin."""
NEW_ENTITIES: Sequence[Pass[Entity]] = (_BY_NAME,)
"""Additions of two people, whose ids mean nothing to each other."""
NEW_LINKS: Sequence[Pass[Link]] = (
    (_same_words, _always),
    (lambda link: (link.subject, link.relation.code, link.object), _always),
)
LINKS: Sequence[Pass[Link]] = (*NEW_LINKS, (lambda link: (link.subject, link.object), _always))
READINGS: Sequence[Pass[Alternative]] = (
    (astuple, _always),
    (lambda reading: (reading.field, reading.text), _always),
)
KEYS: Sequence[Pass[str]] = ((str, _always),)


def places(spans: Sequence[Span], text: str) -> str:
    """Spans as a person reads them, ``德寿宫 1–3``, counted from 1; without the words when the text is not given."""
    return "、".join(f"{text[start:end]} {start + 1}–{end}".lstrip() for start, end in spans)


def shown(part: object, field: str, text: str) -> str:
    """One field as a person reads it; kind, type, code and certainty stay codes, to be translated. Empty for None."""
    content: Any = getattr(part, field, "")
    if field == "mentions":
        return places(content or (), text)
    if field == "evidence":
        return places([content], text) if content else ""
    return str(content)


def entity_words(entity: Entity, text: str) -> str:
    """What an entity says beyond its name and codes: where it stands, then note, label and renderings."""
    parts = (places(entity.mentions, text), entity.note, entity.source_label, entity.modern, entity.english)
    return " · ".join(filter(None, parts)) or entity.name


def relation_words(relation: Relation, text: str) -> str:
    """What a relation says beyond its ends and code: distance, evidence, note."""
    parts = (relation.distance + relation.unit, shown(relation, "evidence", text), relation.note)
    return " · ".join(filter(None, parts))
