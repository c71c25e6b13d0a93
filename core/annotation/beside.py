"""What a suggested entity or relation meets in the scholar's value: itself, its correction, or nothing.

What one suggested thing accounts for is never the correction of another: 孤山 inside an accepted 孤山路 stays open,
and of 孤山 as mountain and as island each is looked for by itself. A correction of another name is one where it
stands: of 孤山 at three places, one of which the scholar made 孤山路, the other two stay open.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate

from core.errors import InputError
from core.texts.annotation import AnnotationValue, Entity, EntityClass, Relation, Span
from core.texts.variants import search_key
from core.texts.vocabulary import relation_type

Named = tuple[EntityClass, str]
Statement = tuple[str, str, str]
"""Subject, code and object of a relation, by names as keys hold them."""


@lru_cache(maxsize=10_000)  # a name is asked for in many relations
def name_key(name: str) -> str:
    """A name as keys hold it: folded, without white space, and without the mark that parts a key."""
    return search_key(name).replace("|", "¦")


def overlap(one: Span, other: Span) -> bool:
    """Whether the two spans share a code point."""
    return one[0] < other[1] and other[0] < one[1]


def statement(subject: str, code: str, object_: str) -> Statement:
    """One form for what can be written two ways: A west_of B and B east_of A."""
    inverse, never_stored = _inverse(code)
    if not inverse:
        return subject, code, object_
    plain, turned = (never_stored, code, subject), (_inverse(inverse)[1], inverse, object_)
    return (subject, code, object_) if plain <= turned else (object_, inverse, subject)


def _inverse(code: str) -> tuple[str, bool]:
    """The inverse of a relation code (or empty), and whether the code itself is never stored."""
    try:
        kind = relation_type(code)
    except InputError:  # a code from a file of another version: it says what it says
        return "", False
    return kind.inverse, kind.inverse_only


def _pair(said: Statement) -> tuple[str, str]:
    return min(said[0], said[2]), max(said[0], said[2])


def _named(entity: Entity) -> Named:
    return entity.kind, name_key(entity.name)


class _Overlaps:
    """Entities by their mentions, to be asked which overlap a span."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        rows = ((span, entity) for entity in entities for span in entity.mentions)
        self._rows = sorted(rows, key=lambda row: row[0])
        self._starts = [span[0] for span, _ in self._rows]
        self._reach = list(accumulate((span[1] for span, _ in self._rows), max))

    def first(self, spans: Iterable[Span]) -> Entity | None:
        return next((entity for span in spans for entity in self.over(span)), None)

    def over(self, span: Span) -> Iterator[Entity]:
        place = bisect_left(self._starts, span[1])
        while place and self._reach[place - 1] > span[0]:
            place -= 1
            if self._rows[place][0][1] > span[0]:
                yield self._rows[place][1]


@dataclass(frozen=True, slots=True)
class Met:
    """What a suggested relation meets, as indexes into the value's relations.

    ``same`` say the same, either way round; ``rivals`` join the same two and were not suggested.
    """

    same: tuple[int, ...]
    rivals: tuple[int, ...]


class Beside:
    """One suggestion beside one value, indexed; entities of one class, name and type are joined.

    ``entities`` are the suggested ones in order, without the mentions that were corrected while others were not;
    ``joined`` gives each by the suggestion's ids; ``relations`` are those whose ends exist, each statement once.
    """

    def __init__(self, suggestion: AnnotationValue, value: AnnotationValue) -> None:
        self.value = value
        self._types: dict[Named, dict[str, Entity]] = defaultdict(dict)
        for entity in suggestion.entities:
            types = self._types[_named(entity)]
            known = types.get(entity.type)
            mentions = tuple(sorted({*known.mentions, *entity.mentions})) if known else entity.mentions
            types[entity.type] = replace(known or entity, mentions=mentions)
        self._names = {entity.id: name_key(entity.name) for entity in value.entities}
        self._standing: dict[Named, list[Entity]] = defaultdict(list)
        for entity in value.entities:
            self._standing[entity.kind, self._names[entity.id]].append(entity)
        self._unclaimed = [e for e in value.entities if (e.kind, self._names[e.id]) not in self._types]
        self._overlaps = _Overlaps(self._unclaimed)
        self._by_name = {self._names[entity.id]: entity for entity in reversed(self._unclaimed)}
        for types in self._types.values():
            types.update({code: self._left_of(entity) for code, entity in types.items()})
        self.entities: Sequence[Entity] = tuple(one for types in self._types.values() for one in types.values())
        self.joined = {entity.id: self._types[_named(entity)][entity.type] for entity in suggestion.entities}
        self._ends = {entity.id: self.counterpart(entity) or self.correction(entity) for entity in self.entities}
        stated: dict[Statement, Relation] = {}
        for relation in suggestion.relations:
            if relation.subject in self.joined and relation.object in self.joined:
                stated.setdefault(self._own(relation), relation)
        self.relations: Sequence[Relation] = tuple(stated.values())

    def _left_of(self, entity: Entity) -> Entity:
        """The suggested entity where no entity of another name stands; as it is when that is nowhere or everywhere."""
        left = []
        for span in entity.mentions:
            over = list(self._overlaps.over(span))
            if any(self._names[other.id] == name_key(entity.name) for other in over):  # its class was corrected
                return entity
            if not over:
                left.append(span)
        return replace(entity, mentions=tuple(left)) if left else entity

    def entity_key(self, entity: Entity) -> str:
        """``entity|place|德寿宫``; with the type as well when the suggestion has that name under several."""
        named = _named(entity)
        first = next(iter(self._types[named]))
        return "|".join(("entity", *named, *([entity.type] if entity.type != first else [])))

    def relation_key(self, relation: Relation) -> str:
        """``relation|德寿宫|east_of|望仙桥``, the same either way round."""
        return "|".join(("relation", *self._own(relation)))

    def same(self, entity: Entity) -> list[Entity]:
        """The value's entities that are the suggested one as it stands: its mentions, and maybe more."""
        spans = set(entity.mentions)
        standing = self._standing.get(_named(entity), ())
        return [other for other in standing if other.type == entity.type and spans <= set(other.mentions)]

    def counterpart(self, entity: Entity) -> Entity | None:
        """The value's entity of that class and name: of the same type, else of one that nobody suggested."""
        named = _named(entity)
        standing = self._standing.get(named, ())
        exact = [other for other in standing if other.type == entity.type]
        free = [other for other in standing if other.type not in self._types[named]]
        return next(iter([*self.same(entity), *exact, *free]), None)

    def correction(self, entity: Entity) -> Entity | None:
        """The value's entity of another name or class that stands in the suggested one's place."""
        found = self._overlaps.first(entity.mentions)
        if found is None:
            same = self._by_name.get(name_key(entity.name))
            found = same if same and not (same.mentions and entity.mentions) else None
        return found

    def end(self, suggested_id: str) -> Entity | None:
        """The value's entity that the end of a suggested relation means."""
        return self._ends[self.joined[suggested_id].id]

    def missing_ends(self, relation: Relation) -> list[str]:
        """The keys of the entities that a suggested relation joins and that the value lacks."""
        ends = (relation.subject, relation.object)
        return [self.entity_key(self.joined[end]) for end in ends if self.end(end) is None]

    def ends_joined(self, relation: Relation) -> bool:
        """Whether the scholar made one entity of the two that a suggested relation joins."""
        subject, object_ = self.joined[relation.subject], self.joined[relation.object]
        one = self._ends[subject.id]
        return subject is not object_ and one is not None and one is self._ends[object_.id]

    def met(self, relation: Relation) -> Met:
        """What the value says of the two that a suggested relation joins."""
        meant = self._meant(relation)
        said = self._said.get(_pair(meant), ())
        return Met(
            same=tuple(number for now, number in said if now == meant),
            rivals=tuple(number for now, number in said if now not in self._suggested),
        )

    @cached_property
    def _said(self) -> dict[tuple[str, str], list[tuple[Statement, int]]]:
        """What the value's relations say and which they are, by the two they join."""
        said: dict[tuple[str, str], list[tuple[Statement, int]]] = defaultdict(list)
        for number, relation in enumerate(self.value.relations):
            now = statement(self._names[relation.subject], relation.code, self._names[relation.object])
            said[_pair(now)].append((now, number))
        return said

    @cached_property
    def _suggested(self) -> frozenset[Statement]:
        return frozenset(self._meant(relation) for relation in self.relations)

    def _own(self, relation: Relation) -> Statement:
        """What a suggested relation says by its own names."""
        subject, object_ = self.joined[relation.subject], self.joined[relation.object]
        return statement(name_key(subject.name), relation.code, name_key(object_.name))

    def _meant(self, relation: Relation) -> Statement:
        """What a suggested relation says once its ends have the names the scholar gave them."""
        ends = (self.end(end) or self.joined[end] for end in (relation.subject, relation.object))
        subject, object_ = (name_key(end.name) for end in ends)
        return statement(subject, relation.code, object_)
