"""Spans: finding a name in a text, checking an annotation's spans, and moving them when the text is corrected.

A span is (start, end) in Unicode code points of the text as stored, end exclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from core.errors import InputError
from core.texts.annotation import AnnotationValue, Entity, Span
from core.texts.variants import fold

_SLACK = 2  # code points by which a corrected name may grow or shrink and still be the same mention
_LARGE = 5000


@dataclass(frozen=True, slots=True)
class Flag:
    """What a correction of the text did to one span.

    ``what``: a mention or a relation's evidence; ``outcome``: dropped, or kept although its words changed;
    ``entity``: the entity's id (for evidence: the subject's); ``relation``: index of the relation, or None.
    """

    what: Literal["mention", "evidence"]
    outcome: Literal["dropped", "changed"]
    entity: str
    name: str
    span: Span
    relation: int | None = None


def find_all(name: str, text: str) -> tuple[Span, ...]:
    """Every place where the name stands in the text, variants and scripts alike; from left, not overlapping."""
    return find_folded(fold(name), fold(text))


def find_folded(name: str, text: str) -> tuple[Span, ...]:
    """As :func:`find_all` for a name and a text that are folded already."""
    spans: list[Span] = []
    start = text.find(name) if name else -1
    while start >= 0:
        spans.append((start, start + len(name)))
        start = text.find(name, start + len(name))
    return tuple(spans)


def _check_span(span: Span, length: int, where: str) -> None:
    start, end = span
    if not 0 <= start < end <= length:
        raise InputError("span_out_of_range", where=where, start=start, end=end, length=length)


def check_spans(value: AnnotationValue, text: str) -> None:
    """Raise InputError unless every span lies in the text and every relation joins entities that exist.

    Codes: ``entity_id_twice``, ``span_out_of_range`` (empty spans too), ``relation_without_entity``.
    """
    ids: set[str] = set()
    for entity in value.entities:
        if entity.id in ids:
            raise InputError("entity_id_twice", entity=entity.id)
        ids.add(entity.id)
        for span in entity.mentions:
            _check_span(span, len(text), f"entities[{entity.id}].mentions")
    for index, relation in enumerate(value.relations):
        for end in (relation.subject, relation.object):
            if end not in ids:
                raise InputError("relation_without_entity", relation=index + 1, entity=end)
        if relation.evidence is not None:
            _check_span(relation.evidence, len(text), f"relations[{index + 1}].evidence")


class _Moves:
    """Where each code point of the old text stands in the new one, or None where it went."""

    def __init__(self, old: str, new: str) -> None:
        self._where: list[int | None] = [None] * len(old)
        for start, target, size in _equal_blocks(fold(old), fold(new)):
            self._where[start : start + size] = range(target, target + size)

    def move(self, span: Span) -> Span | None:
        """The span in the new text when both its ends survived at about the old distance, else None."""
        first, last = self._where[span[0]], self._where[span[1] - 1]
        if first is None or last is None:
            return None
        moved = (first, last + 1)
        length = span[1] - span[0]
        return moved if abs(moved[1] - moved[0] - length) <= max(_SLACK, length // 2) else None


def _equal_blocks(old: str, new: str) -> Sequence[tuple[int, int, int]]:
    """Matching blocks; what the texts share at both ends is cut off first, so that a small edit costs little."""
    head = _shared(old, new)
    tail = min(_shared(old[::-1], new[::-1]), len(old) - head, len(new) - head)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    blocks = [(0, 0, head), (len(old) - tail, len(new) - tail, tail)]
    large = max(len(middle_old), len(middle_new)) > _LARGE  # exact matching is quadratic in repeated characters
    matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=large)
    blocks += [(head + a, head + b, size) for a, b, size in matcher.get_matching_blocks()]
    return blocks


def _shared(one: str, other: str) -> int:
    """How many code points the two have in common from the start."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def reanchor(value: AnnotationValue, old_text: str, new_text: str) -> tuple[AnnotationValue, tuple[Flag, ...]]:
    """Move every span of the value from the old text to its correction.

    A span survives when its first and last characters do (folded, so 夀 → 寿 changes nothing); one that cannot be
    placed is dropped and flagged, one whose inner words changed is kept and flagged. Entities and relations stay.
    The result passes :func:`check_spans` on the new text whenever the value passed it on the old one.
    """
    moves = _Moves(old_text, new_text)
    flags: list[Flag] = []

    def moved(span: Span, flag: Flag) -> Span | None:
        target = moves.move(span)
        if target is None:
            flags.append(flag)
        elif fold(new_text[slice(*target)]) != fold(old_text[slice(*span)]):
            flags.append(replace(flag, outcome="changed"))
        return target

    def moved_entity(entity: Entity) -> Entity:
        targets = (moved(span, Flag("mention", "dropped", entity.id, entity.name, span)) for span in entity.mentions)
        return replace(entity, mentions=tuple(dict.fromkeys(span for span in targets if span is not None)))

    entities = tuple(moved_entity(entity) for entity in value.entities)
    relations = []
    for index, relation in enumerate(value.relations):
        evidence = relation.evidence
        if evidence is not None:
            subject = value.entity(relation.subject)
            name = subject.name if subject else relation.subject
            evidence = moved(evidence, Flag("evidence", "dropped", relation.subject, name, evidence, index))
        relations.append(replace(relation, evidence=evidence))
    return replace(value, entities=entities, relations=tuple(relations)), tuple(flags)
