"""A suggestion beside the scholar's value, item by item: what was accepted, edited, rejected, or not looked at yet.

Nothing of it is stored but the keys of rejected items; every state is found by comparing the two. A key names a
statement and not a record, so that what was refused once is known again in another model's suggestion.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from typing import Literal

from core.annotation.beside import Beside, overlap
from core.errors import InputError
from core.texts.annotation import TEXT_FIELDS, Alternative, AnnotationValue, Entity, Relation, TextField
from core.texts.vocabulary import relation_type

Part = Literal["entity", "relation", "spatial_relation", "modern_chinese", "english", "search_prompt"]
State = Literal["undecided", "accepted", "edited", "rejected"]
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Item:
    """One suggested thing and where it stands; ``entity`` and ``relation`` are the suggestion's, with its ids."""

    key: str
    part: Part
    state: State
    entity: Entity | None = None
    relation: Relation | None = None
    text: str = ""


def items(suggestion: AnnotationValue, value: AnnotationValue, beside: Beside | None = None) -> tuple[Item, ...]:
    """Every item of the suggestion: entities, relations, then the texts that are not empty.

    Entities of one class, folded name and type are one item; so are relations that say the same either way round.
    A relation's ends may have been renamed in the value: it is accepted when it stands between those. It is rejected
    with an entity that it needs. ``beside`` is the two indexed, for whoever has that already.
    """
    return tuple(_items(suggestion, beside or Beside(suggestion, value)))


def accept(value: AnnotationValue, suggestion: AnnotationValue, key: str) -> AnnotationValue:
    """The value with that item as suggested; InputError ``item_unknown`` for a key outside the suggestion.

    A relation takes its missing entities along. Of what the scholar had corrected, name, type, borders or relation
    become the suggested ones; id, certainty, note, renderings and mentions elsewhere stay. A text that gives way is
    kept as an alternative.
    """
    beside = Beside(suggestion, value)
    item = _item(suggestion, beside, key)
    draft = _Draft(beside)
    draft.rejected.discard(key)
    if item.state != "accepted":
        draft.accept(item)
    return draft.value()


def accept_all(value: AnnotationValue, suggestion: AnnotationValue) -> AnnotationValue:
    """The value with every undecided item accepted; what was edited or rejected stays as it is."""
    beside = Beside(suggestion, value)
    draft = _Draft(beside)
    for item in _items(suggestion, beside):
        if item.state == "undecided":
            draft.accept(item)
    return draft.value()


def reject(value: AnnotationValue, suggestion: AnnotationValue, key: str) -> AnnotationValue:
    """The value with that item refused; InputError ``item_unknown`` for a key outside the suggestion.

    An accepted item leaves the value as well, an entity with its relations; one that was edited stays.
    """
    beside = Beside(suggestion, value)
    item = _item(suggestion, beside, key)
    rest = _without(item, beside) if item.state == "accepted" else value
    return replace(rest, rejected=tuple(dict.fromkeys((*rest.rejected, key))))


def undecide(value: AnnotationValue, key: str) -> AnnotationValue:
    """The value without the refusal of that item; unchanged where it was not refused."""
    return replace(value, rejected=tuple(known for known in value.rejected if known != key))


def prefer(value: AnnotationValue, field: TextField, text: str) -> AnnotationValue:
    """The value with ``text`` in the field; another text that stood there becomes an alternative, once.

    ``text`` leaves the alternatives, unless a note is kept with it there: then the entry equals the field and holds
    the note of the preferred reading.
    """
    old = getattr(value, field)
    known = any((a.field, a.text) == (field, old) for a in value.alternatives)
    kept = [Alternative(field, old)] if old.strip() and old != text and not known else []
    readings: list[Alternative] = []
    for reading in value.alternatives:
        if (reading.field, reading.text) != (field, text):
            readings.append(reading)
        else:
            readings += [*([reading] if reading.note else []), *kept]
            kept = []
    return replace(value, alternatives=(*readings, *kept), **{field: text})  # type: ignore[arg-type]


def free_ids(entities: Iterable[Entity]) -> Iterator[str]:
    """Entity ids that are free, one after the other: ``e`` and a number above all of the entities'."""
    numbers = (entity.id[1:] for entity in entities if entity.id[:1] == "e")
    used = (int(number) for number in numbers if number.isdecimal() and len(number) <= _LONGEST_NUMBER)
    return (f"e{number}" for number in count(max(used, default=0) + 1))


def stored_way(relation: Relation) -> Relation:
    """The relation as it is stored: one whose code is only an inverse (contains) turned round (inside).

    InputError ``relation_unknown`` for a code outside the list.
    """
    kind = relation_type(relation.code)
    if not kind.inverse_only:
        return relation
    return replace(relation, subject=relation.object, code=kind.inverse, object=relation.subject)


def _items(suggestion: AnnotationValue, beside: Beside) -> Iterator[Item]:
    refused = frozenset(beside.value.rejected)

    def untouched(*keys: str) -> State:
        return "undecided" if refused.isdisjoint(keys) else "rejected"

    for entity in beside.entities:
        key = beside.entity_key(entity)
        yield Item(key, "entity", _entity_state(entity, beside) or untouched(key), entity=entity)
    for relation in beside.relations:
        key = beside.relation_key(relation)
        state = _relation_state(relation, beside) or untouched(key, *beside.missing_ends(relation))
        yield Item(key, "relation", state, relation=relation)
    for field in TEXT_FIELDS:
        if text := getattr(suggestion, field):
            key = f"text|{field}|{sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"
            yield Item(key, field, _text_state(text, getattr(beside.value, field)) or untouched(key), text=text)


def _item(suggestion: AnnotationValue, beside: Beside, key: str) -> Item:
    found = next((item for item in _items(suggestion, beside) if item.key == key), None)
    if found is None:
        raise InputError("item_unknown", key=key)
    return found


def _entity_state(entity: Entity, beside: Beside) -> State | None:
    if beside.same(entity):
        return "accepted"
    return "edited" if beside.counterpart(entity) or beside.correction(entity) else None


def _relation_state(relation: Relation, beside: Beside) -> State | None:
    met = beside.met(relation)
    if any(_says_as_much(beside.value.relations[number], relation) for number in met.same):
        return "accepted"
    return "edited" if met.same or met.rivals or beside.ends_joined(relation) else None


def _says_as_much(relation: Relation, suggested: Relation) -> bool:
    """Whether the distance, where one was suggested, is the suggested one."""
    return not suggested.distance or (relation.distance, relation.unit) == (suggested.distance, suggested.unit)


def _text_state(suggested: str, now: str) -> State | None:
    return "accepted" if now == suggested else "edited" if now.strip() else None


def _without(item: Item, beside: Beside) -> AnnotationValue:
    """The value without an accepted item."""
    value = beside.value
    if item.entity:
        return without_entities(value, {entity.id for entity in beside.same(item.entity)})
    if item.relation:
        same = beside.met(item.relation).same
        return replace(value, relations=tuple(r for n, r in enumerate(value.relations) if n not in same))
    return replace(value, **{item.part: ""})  # type: ignore[arg-type]


def without_entities(value: AnnotationValue, ids: Container[str]) -> AnnotationValue:
    """The value without the entities of those ids and without their relations."""
    return replace(
        value,
        entities=tuple(entity for entity in value.entities if entity.id not in ids),
        relations=tuple(r for r in value.relations if r.subject not in ids and r.object not in ids),
    )


class _Draft:
    """The value while items are accepted into it."""

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self._texts = beside.value
        self._entities = {entity.id: entity for entity in beside.value.entities}
        self._relations = list(beside.value.relations)
        self._added: dict[str, Entity] = {}
        self._free = free_ids(beside.value.entities)
        self.rejected = set(beside.value.rejected)

    def accept(self, item: Item) -> None:
        """Take in an item that is not accepted yet."""
        if item.entity:
            self._accept_entity(item.entity)
        elif item.relation:
            self._accept_relation(item.relation)
        else:
            self._texts = prefer(self._texts, item.part, item.text)  # type: ignore[arg-type]

    def value(self) -> AnnotationValue:
        """The value as it stands now."""
        return replace(
            self._texts,
            entities=tuple(self._entities.values()),
            relations=tuple(self._relations),
            rejected=tuple(key for key in self._texts.rejected if key in self.rejected),
        )

    def _accept_entity(self, entity: Entity) -> None:
        same = self._beside.counterpart(entity)
        known = same or self._beside.correction(entity)
        far = [] if known is None else [s for s in known.mentions if not any(overlap(s, t) for t in entity.mentions)]
        if known is None or (far and not same):  # it names other places as well: it is more than a correction
            self._add(entity)
            return
        self._entities[known.id] = replace(
            known,
            name=known.name if same else entity.name,
            kind=entity.kind,
            type=entity.type,
            source_label=entity.source_label,
            mentions=tuple(sorted({*entity.mentions, *far})),
            note=known.note or entity.note,
            modern=known.modern or entity.modern,
            english=known.english or entity.english,
        )

    def _add(self, entity: Entity) -> Entity:
        """The suggested entity in the value, added once."""
        if entity.id not in self._added:
            added = self._added[entity.id] = replace(entity, id=next(self._free))
            self._entities[added.id] = added
            self.rejected.discard(self._beside.entity_key(entity))
        return self._added[entity.id]

    def _accept_relation(self, relation: Relation) -> None:
        met = self._beside.met(relation)
        if met.same:
            old = self._relations[met.same[0]]
            evidence = old.evidence or relation.evidence
            self._relations[met.same[0]] = replace(
                old, distance=relation.distance, unit=relation.unit, evidence=evidence
            )
            return
        joined = self._beside.ends_joined(relation)
        subject, object_ = (self._end(end, joined) for end in (relation.subject, relation.object))
        new = stored_way(replace(relation, subject=subject.id, object=object_.id))
        if len(met.rivals) == 1 and not joined:
            old = self._relations[met.rivals[0]]
            self._relations[met.rivals[0]] = replace(new, certainty=old.certainty, note=old.note or new.note)
        else:
            self._relations.append(new)

    def _end(self, suggested_id: str, joined: bool) -> Entity:
        entity = self._beside.joined[suggested_id]
        known = None if joined else self._beside.end(suggested_id)
        return known or self._beside.counterpart(entity) or self._add(entity)
