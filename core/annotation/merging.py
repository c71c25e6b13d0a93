"""Two people's states of one annotation made one, against the state both began with.

Where one of them alone changed something, that stands without a question; where both did, a person chooses. What one
deleted and the other worked on, be it only by a relation to it, counts as changed by both. A relation lives and goes
with the entities it joins.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

from core.annotation.items import free_ids
from core.annotation.pairing import (
    ENTITIES,
    ENTITY_FIELDS,
    KEYS,
    LINKS,
    NEW_ENTITIES,
    NEW_LINKS,
    READINGS,
    RELATION_FIELDS,
    STRANGE_ENTITIES,
    Link,
    entity_words,
    links,
    relation_words,
    shown,
)
from core.annotation.slots import Side, Slot, Slots
from core.errors import InputError
from core.texts.annotation import TEXT_FIELDS, Alternative, AnnotationValue, Entity, Relation

T = TypeVar("T")
Only = Literal["mine", "theirs", "both"]


@dataclass(frozen=True, slots=True)
class Point:
    """One place where mine and theirs differ, and who changed it against the base.

    ``part``, ``name``, ``field``, ``subject``, ``code`` and ``object`` as in
    :class:`~core.annotation.difference.Change`; an empty ``field`` asks whether the thing stays at all. ``base``,
    ``mine`` and ``theirs`` are to be read by people.
    """

    key: str
    part: str
    name: str = ""
    field: str = ""
    base: str = ""
    mine: str = ""
    theirs: str = ""
    only: Only = "both"
    subject: str = ""
    code: str = ""
    object: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """All points where two states differ, in the order of the passage's parts."""

    points: tuple[Point, ...] = ()

    @property
    def open(self) -> tuple[Point, ...]:
        """The points that a person has to decide."""
        return tuple(point for point in self.points if point.only == "both")


def merge(base: AnnotationValue | None, mine: AnnotationValue, theirs: AnnotationValue, text: str = "") -> Merge:
    """Where mine and theirs differ; with ``text`` the places of mentions are shown with their words.

    Without a base everything that differs counts as changed by both.
    """
    points: list[Point] = []

    def listed(point: Point) -> Side:
        points.append(point)
        return "mine"

    _Merger(base, mine, theirs, text, listed).value()
    return Merge(tuple(points))


def resolve(
    base: AnnotationValue | None, mine: AnnotationValue, theirs: AnnotationValue, choices: Mapping[str, Side]
) -> AnnotationValue:
    """The one value: each point as chosen (by its key), else from the side that alone changed it.

    New entities whose ids clash are numbered anew, with their relations. It passes ``check_spans`` where mine and
    theirs do. InputError ``merge_undecided`` (key, name) for a point that both changed and nobody chose.
    """

    def chosen(point: Point) -> Side:
        choice = choices.get(point.key, point.only)
        if choice not in ("mine", "theirs"):
            raise InputError("merge_undecided", key=point.key, name=point.name)
        return choice

    return _Merger(base, mine, theirs, "", chosen).value()


class _Merger:
    """One merge: walks all parts and asks ``choose`` at each point."""

    def __init__(
        self,
        base: AnnotationValue | None,
        mine: AnnotationValue,
        theirs: AnnotationValue,
        text: str,
        choose: Callable[[Point], Side],
    ) -> None:
        self._known = base is not None
        self._base, self._mine, self._theirs = base or AnnotationValue(), mine, theirs
        self._text, self._choose = text, choose
        new = NEW_ENTITIES if self._known else STRANGE_ENTITIES
        self._entities = Slots(self._base.entities, mine.entities, theirs.entities, ENTITIES, new)
        self._links = self._all_links()

    def _all_links(self) -> Slots[Link]:
        numbers = (list(range(len(self._base.entities))), self._entities.mine, self._entities.theirs)
        values = (self._base, self._mine, self._theirs)
        base, mine, theirs = (
            links(value, {entity.id: number for entity, number in zip(value.entities, known, strict=True)})
            for value, known in zip(values, numbers, strict=True)
        )
        return Slots(base, mine, theirs, LINKS, NEW_LINKS)

    def value(self) -> AnnotationValue:
        """The merged value."""
        entities = self._merged_entities()
        ids = self._merged_ids(entities)
        return replace(
            self._mine,
            entities=tuple(replace(entity, id=ids[number]) for number, entity in entities.items()),
            relations=tuple(self._merged_relations(ids)),
            alternatives=tuple(self._merged_alternatives()),
            rejected=tuple(self._merged_rejected()),
            **{field: self._merged_text(field) for field in (*TEXT_FIELDS, "note")},
        )

    def _only(self, base: object, mine: object, theirs: object) -> Only:
        if not self._known:
            return "both"
        return "mine" if theirs == base else "theirs" if mine == base else "both"

    def _stays(self, point: Point, slot: Slot[T], words: Callable[[T], str], edited: bool = False) -> bool:
        """Whether a part stays; asked where one side has it not. ``edited``: who has it changed it since the base."""
        one = slot.one_side()
        if one is None:
            return slot.mine is not None
        if not self._known or (edited and slot.base is not None):
            only: Only = "both"
        elif slot.base is None:
            only = one[1]
        else:
            only = "theirs" if one[1] == "mine" else "mine"
        base, mine, theirs = ("" if part is None else words(part) for part in (slot.base, slot.mine, slot.theirs))
        return self._choose(replace(point, base=base, mine=mine, theirs=theirs, only=only)) == one[1]

    def _fields(self, point: Point, slot: Slot[T], names: Iterable[str]) -> T:
        """A part that stays: each field that differs from the side that is chosen."""
        one = slot.one_side()
        taken: Any = one[0] if one else slot.mine
        for field in names if not one else ():
            base, mine, theirs = (getattr(part, field, None) for part in (slot.base, slot.mine, slot.theirs))
            if mine != theirs:
                asked = replace(
                    point,
                    key=f"{point.key}|{field}",
                    field=field,
                    base=shown(slot.base, field, self._text),
                    mine=shown(slot.mine, field, self._text),
                    theirs=shown(slot.theirs, field, self._text),
                    only=self._only(base, mine, theirs) if slot.base is not None else "both",
                )
                if self._choose(asked) == "theirs":
                    taken = replace(taken, **{field: theirs})
        return cast(T, taken)

    def _merged_entities(self) -> dict[int, Entity]:
        worked_on = self._worked_on()
        kept: dict[int, Entity] = {}
        for number, slot in self._entities:
            if entity := slot.either:
                one = slot.one_side()
                edited = one is not None and (number in worked_on[one[1]] or _differ(slot.base, one[0], ENTITY_FIELDS))
                point = Point(f"entity|{number}|{entity.name}", "entity", entity.name)
                if self._stays(point, slot, lambda part: entity_words(part, self._text), edited):
                    kept[number] = self._fields(point, slot, ENTITY_FIELDS)
        return kept

    def _worked_on(self) -> dict[Side, set[int]]:
        """The entities of which each side says something in a relation that the base does not say."""
        found: dict[Side, set[int]] = {"mine": set(), "theirs": set()}
        for _, slot in self._links:
            for side, link in (("mine", slot.mine), ("theirs", slot.theirs)):
                base = slot.base.relation if slot.base else None
                if link and _differ(base, link.relation, RELATION_FIELDS):
                    found[side] |= {link.subject, link.object}  # type: ignore[index]
        return found

    def _merged_ids(self, kept: Iterable[int]) -> dict[int, str]:
        """An id for each entity: its own where it can be, else a new one."""
        ids: dict[int, str] = {}
        free = free_ids((*self._base.entities, *self._mine.entities, *self._theirs.entities))
        taken: set[str] = set()
        for number in sorted(kept, key=lambda number: self._entities.slots[number].mine is None):
            slot = self._entities.slots[number]
            theirs = slot.theirs and (not slot.mine or (slot.base and slot.base.id == slot.mine.id))
            whole = slot.theirs if theirs else slot.mine
            wanted = whole.id if whole else ""
            ids[number] = next(free) if wanted in taken else wanted
            taken.add(ids[number])
        return ids

    def _merged_relations(self, ids: Mapping[int, str]) -> Iterator[Relation]:
        for number, slot in self._links:
            link = slot.either
            if link is None:
                continue
            relation, point = link.relation, self._relation_point(number, link)
            parts = _of_relations(slot)
            if self._follows(slot):
                stays = link.subject in ids and link.object in ids
            else:
                edited = _differ(parts.base, relation, RELATION_FIELDS)
                stays = self._stays(point, parts, lambda part: relation_words(part, self._text), edited)
            if stays:
                taken = self._fields(point, parts, RELATION_FIELDS)
                yield replace(taken, subject=ids[link.subject], object=ids[link.object])

    def _follows(self, slot: Slot[Link]) -> bool:
        """Whether a relation is missing on one side because an entity it joins is."""
        one = slot.one_side()
        if one is None:
            return False
        link, side = one
        ends = (self._entities.slots[end] for end in (link.subject, link.object))
        return any((end.theirs if side == "mine" else end.mine) is None for end in ends)

    def _relation_point(self, number: int, link: Link) -> Point:
        ends = (self._entities.slots[end] for end in (link.subject, link.object))
        subject, object_ = (end.either or end.base for end in ends)
        names = (subject.name if subject else "", link.relation.code, object_.name if object_ else "")
        name = " ".join(names)
        return Point(f"relation|{number}|{name}", "relation", name, subject=names[0], code=names[1], object=names[2])

    def _merged_text(self, field: str) -> str:
        base, mine, theirs = (str(getattr(value, field)) for value in (self._base, self._mine, self._theirs))
        if mine == theirs:
            return mine
        point = Point(field, field, base=base, mine=mine, theirs=theirs, only=self._only(base, mine, theirs))
        return mine if self._choose(point) == "mine" else theirs

    def _merged_alternatives(self) -> Iterator[Alternative]:
        values = (self._base.alternatives, self._mine.alternatives, self._theirs.alternatives)
        for number, slot in Slots(*values, READINGS, READINGS):
            if reading := slot.either:
                point = Point(f"alternative|{number}|{reading.field}", "alternative", reading.field)
                if self._stays(point, slot, lambda part: part.text, _differ(slot.base, reading, ("note",))):
                    yield self._fields(point, slot, ("note",))

    def _merged_rejected(self) -> Iterator[str]:
        values = (self._base.rejected, self._mine.rejected, self._theirs.rejected)
        for _, slot in Slots(*values, KEYS, KEYS):
            key = slot.either
            if key is not None and self._stays(Point(f"rejected|{key}", "rejected", key), slot, str):
                yield key


def _differ(base: object, part: object, names: Iterable[str]) -> bool:
    return any(getattr(base, name, None) != getattr(part, name) for name in names)


def _of_relations(slot: Slot[Link]) -> Slot[Relation]:
    base, mine, theirs = (None if link is None else link.relation for link in (slot.base, slot.mine, slot.theirs))
    return Slot(base, mine, theirs)
