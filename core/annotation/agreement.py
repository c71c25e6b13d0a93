"""How good a model's suggestions were, measured against what scholars approved.

An entity is right *loosely* when an approved entity of the same class has a mention that overlaps one of its own, and
*exactly* when they also share the type and one identical span. Entities without mentions match by folded name and
class (exactly: and type). Every entity counts once: pairs are a largest one-to-one matching, exact pairs first.
Precision, recall and F1 as in CoNLL-2003 (exact) and MUC-6 (loose), by entity instead of by mention.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import Levenshtein

from core.texts.annotation import AnnotationValue, Entity
from core.texts.variants import search_key

TypeKey = tuple[str, str]
"""Class and type of an entity: ``("place", "bridge")``, ``("person", "other")``."""
TEXTS = ("modern_chinese", "english", "search_prompt", "spatial_relation")


@dataclass(frozen=True, slots=True)
class Tally:
    """Entities counted: ``right`` of the ``suggested``, ``found`` of the ``approved``.

    The two differ only by type, where a pair may join a suggested bridge and an approved gate.
    """

    suggested: int = 0
    approved: int = 0
    right: int = 0
    found: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.suggested + other.suggested,
            self.approved + other.approved,
            self.right + other.right,
            self.found + other.found,
        )

    @property
    def precision(self) -> float | None:
        """The share of the suggested that is right; None where nothing was suggested."""
        return self.right / self.suggested if self.suggested else None

    @property
    def recall(self) -> float | None:
        """The share of the approved that was found; None where nothing was approved."""
        return self.found / self.approved if self.approved else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; 0 where one of them is 0 or missing, None where both are missing."""
        if not self.suggested and not self.approved:
            return None
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Tallies of one passage: overall, and by the class and type of either side's own entity."""

    loose: Tally
    exact: Tally
    loose_by_type: Mapping[TypeKey, Tally]
    exact_by_type: Mapping[TypeKey, Tally]


def entity_scores(suggested: AnnotationValue, approved: AnnotationValue) -> Scores:
    """Tally a suggestion's entities against the approved ones, loosely and exactly."""
    ours, theirs = suggested.entities, approved.entities
    exact = _matching(_exact_edges(ours, theirs), {})
    loose = _matching(_loose_edges(ours, theirs), exact)
    return Scores(
        loose=Tally(len(ours), len(theirs), len(loose), len(loose)),
        exact=Tally(len(ours), len(theirs), len(exact), len(exact)),
        loose_by_type=_by_type(ours, theirs, loose),
        exact_by_type=_by_type(ours, theirs, exact),
    )


def _type(entity: Entity) -> TypeKey:
    return entity.kind, entity.type


def _exact_edges(ours: Sequence[Entity], theirs: Sequence[Entity]) -> list[list[int]]:
    """For each of ours the numbers of theirs that it equals in type and one span."""

    def traits(entity: Entity) -> list[Hashable]:
        if not entity.mentions:
            return [(_type(entity), search_key(entity.name))]
        return [(_type(entity), span) for span in entity.mentions]

    return _edges(ours, theirs, traits)


def _loose_edges(ours: Sequence[Entity], theirs: Sequence[Entity]) -> list[list[int]]:
    """For each of ours the numbers of theirs of its class that share a code point of the text with it."""

    def traits(entity: Entity) -> list[Hashable]:
        if not entity.mentions:
            return [(entity.kind, search_key(entity.name))]
        return [(entity.kind, place) for span in entity.mentions for place in range(*span)]

    return _edges(ours, theirs, traits)


def _edges(
    ours: Sequence[Entity], theirs: Sequence[Entity], traits: Callable[[Entity], list[Hashable]]
) -> list[list[int]]:
    where: dict[Hashable, set[int]] = defaultdict(set)
    for number, entity in enumerate(theirs):
        for trait in traits(entity):
            where[trait].add(number)
    return [sorted({n for trait in traits(entity) for n in where.get(trait, ())}) for entity in ours]


def _matching(edges: Sequence[Sequence[int]], start: Mapping[int, int]) -> dict[int, int]:
    """A largest one-to-one matching, theirs by ours, that keeps everybody matched in ``start`` (augmenting paths)."""
    of_ours = dict(start)
    of_theirs = {other: one for one, other in start.items()}
    for root in range(len(edges)):
        if root in of_ours:
            continue
        came_from: dict[int, int] = {}
        queue = deque([root])
        free = None
        while queue and free is None:
            one = queue.popleft()
            for other in edges[one]:
                if other not in came_from:
                    came_from[other] = one
                    if other not in of_theirs:
                        free = other
                        break
                    queue.append(of_theirs[other])
        while free is not None:
            one = came_from[free]
            before = of_ours.get(one)
            of_ours[one], of_theirs[free] = free, one
            free = before
    return of_ours


def _by_type(ours: Sequence[Entity], theirs: Sequence[Entity], pairs: Mapping[int, int]) -> dict[TypeKey, Tally]:
    tallies: dict[TypeKey, Tally] = defaultdict(Tally)
    found = set(pairs.values())
    for number, entity in enumerate(ours):
        tallies[_type(entity)] += Tally(suggested=1, right=int(number in pairs))
    for number, entity in enumerate(theirs):
        tallies[_type(entity)] += Tally(approved=1, found=int(number in found))
    return dict(tallies)


def edit_distance_ratio(one: str, other: str) -> float:
    """Levenshtein distance in code points over the length of the longer text: 0 equal or both empty, 1 not alike."""
    return Levenshtein.normalized_distance(one, other)


def untouched(suggested: AnnotationValue, approved: AnnotationValue) -> bool:
    """Whether the scholar approved the suggestion as it was; ids and the order of entities and relations are free."""
    return _plain(suggested) == _plain(approved)


def _plain(value: AnnotationValue) -> tuple[object, ...]:
    plain = {
        entity.id: repr(replace(entity, id="", mentions=tuple(sorted(set(entity.mentions)))))
        for entity in value.entities
    }
    relations = sorted(
        repr((plain.get(row.subject), plain.get(row.object), replace(row, subject="", object="")))
        for row in value.relations
    )
    texts = [getattr(value, name).strip() for name in (*TEXTS, "note")]
    return (sorted(plain.values()), relations, texts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One suggestion beside the approved annotation of its passage.

    ``edits``: the edit distance ratio of each of :data:`TEXTS`; None where the model wrote nothing.
    """

    provider: str
    model: str
    prompt: str
    scores: Scores
    edits: Mapping[str, float | None]
    untouched: bool


def compare(
    suggested: AnnotationValue, approved: AnnotationValue, *, provider: str, model: str, prompt: str
) -> Comparison:
    """Everything the report needs of one passage; ``prompt`` is the prompt version."""
    pairs = {name: (getattr(suggested, name), getattr(approved, name)) for name in TEXTS}
    return Comparison(
        provider=provider,
        model=model,
        prompt=prompt,
        scores=entity_scores(suggested, approved),
        edits={name: edit_distance_ratio(*pair) if pair[0] else None for name, pair in pairs.items()},
        untouched=untouched(suggested, approved),
    )


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A line of the report: one provider, model, prompt version and type (``kind`` and ``type`` empty: all of them).

    Precision, recall and F1 from the sums of the tallies (micro-average), None where undefined. ``*_edit`` are means
    over the passages where the model wrote that text; they and ``untouched`` are None in the rows of single types.
    """

    provider: str
    model: str
    prompt: str
    kind: str
    type: str
    passages: int
    suggested: int
    approved: int
    precision: float | None
    recall: float | None
    f1: float | None
    exact_precision: float | None
    exact_recall: float | None
    exact_f1: float | None
    untouched: int | None = None
    modern_chinese_edit: float | None = None
    english_edit: float | None = None
    search_prompt_edit: float | None = None
    spatial_relation_edit: float | None = None


def summarise(rows: Iterable[Comparison]) -> list[ReportRow]:
    """For each provider, model and prompt version a row over all types, then one a type, the commonest first."""
    groups: dict[tuple[str, str, str], list[Comparison]] = defaultdict(list)
    for row in rows:
        groups[row.provider, row.model, row.prompt].append(row)
    return [line for key in sorted(groups) for line in _lines(key, groups[key])]


def _lines(key: tuple[str, str, str], rows: Sequence[Comparison]) -> Iterator[ReportRow]:
    loose = sum((row.scores.loose for row in rows), Tally())
    exact = sum((row.scores.exact for row in rows), Tally())
    yield replace(
        _line(key, ("", ""), len(rows), loose, exact),
        untouched=sum(row.untouched for row in rows),
        modern_chinese_edit=_mean(row.edits["modern_chinese"] for row in rows),
        english_edit=_mean(row.edits["english"] for row in rows),
        search_prompt_edit=_mean(row.edits["search_prompt"] for row in rows),
        spatial_relation_edit=_mean(row.edits["spatial_relation"] for row in rows),
    )
    by_type: dict[TypeKey, tuple[int, Tally, Tally]] = defaultdict(lambda: (0, Tally(), Tally()))
    for row in rows:
        for kind, tally in row.scores.loose_by_type.items():
            passages, loose, exact = by_type[kind]
            by_type[kind] = (passages + 1, loose + tally, exact + row.scores.exact_by_type[kind])
    for kind in sorted(by_type, key=lambda kind: (-by_type[kind][1].approved, kind)):
        yield _line(key, kind, *by_type[kind])


def _line(key: tuple[str, str, str], kind: TypeKey, passages: int, loose: Tally, exact: Tally) -> ReportRow:
    return ReportRow(
        *key,
        *kind,
        passages=passages,
        suggested=loose.suggested,
        approved=loose.approved,
        precision=loose.precision,
        recall=loose.recall,
        f1=loose.f1,
        exact_precision=exact.precision,
        exact_recall=exact.recall,
        exact_f1=exact.f1,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
