from dataclasses import asdict, replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.agreement import Tally, compare, edit_distance_ratio, entity_scores, summarise, untouched
from core.texts.annotation import AnnotationValue, Entity, EntityClass, Relation, Span


def entity(
    number: int, kind: EntityClass = "place", type_: str = "bridge", *mentions: Span, name: str = "甲"
) -> Entity:
    return Entity(f"e{number}", name, kind=kind, type=type_, mentions=mentions)


def value(*entities: Entity) -> AnnotationValue:
    return AnnotationValue(entities=tuple(replace(e, id=f"e{n}") for n, e in enumerate(entities)))


def test_loosely_and_exactly_right() -> None:
    suggested = value(
        entity(1, "place", "bridge", (0, 3)),  # as approved
        entity(2, "place", "gate", (4, 7)),  # other type
        entity(3, "place", "lake", (8, 10)),  # other span
        entity(4, "person", "other", (12, 14)),  # other class
        entity(5, "place", "hall", name="德壽宮"),  # found nowhere by either
        entity(6, "place", "hall", (30, 32)),  # not approved
    )
    approved = value(
        entity(1, "place", "bridge", (0, 3), (20, 23)),
        entity(2, "place", "wall", (4, 7)),
        entity(3, "place", "lake", (9, 11)),
        entity(4, "place", "hall", (12, 14)),
        entity(5, "place", "hall", name="德寿宫"),
        entity(6, "place", "hall", (14, 16)),
        entity(7, "place", "hall", (32, 34)),
    )
    scores = entity_scores(suggested, approved)
    assert scores.loose == Tally(6, 7, 4, 4)
    assert scores.exact == Tally(6, 7, 2, 2)
    assert scores.loose_by_type["place", "gate"] == Tally(1, 0, 1, 0)
    assert scores.loose_by_type["place", "wall"] == Tally(0, 1, 0, 1)
    assert scores.exact_by_type["place", "hall"] == Tally(2, 4, 1, 1)
    assert scores.loose_by_type["person", "other"] == Tally(1, 0, 0, 0)
    assert (scores.loose.precision, scores.loose.recall) == (4 / 6, 4 / 7)
    assert scores.loose.f1 == pytest.approx(2 * 4 / 13)


def test_an_entity_counts_once() -> None:
    split_name = value(entity(1, "place", "bridge", (0, 2)), entity(2, "place", "bridge", (2, 4)))
    whole = value(entity(1, "place", "bridge", (0, 4)))
    assert entity_scores(split_name, whole).loose == Tally(2, 1, 1, 1)
    assert entity_scores(whole, split_name).loose == Tally(1, 2, 1, 1)


def test_a_pair_gives_way_where_more_pairs_are_possible() -> None:
    suggested = value(entity(1, "place", "bridge", (0, 6)), entity(2, "place", "bridge", (1, 2)))
    approved = value(entity(1, "place", "gate", (0, 2)), entity(2, "place", "gate", (3, 5)))
    assert entity_scores(suggested, approved).loose.right == 2


def test_exact_pairs_come_first() -> None:
    suggested = value(entity(1, "place", "gate", (0, 4)), entity(2, "place", "bridge", (0, 4)))
    scores = entity_scores(suggested, value(entity(1, "place", "bridge", (0, 4))))
    assert scores.loose_by_type["place", "bridge"] == Tally(1, 1, 1, 1)
    assert scores.loose_by_type["place", "gate"] == Tally(1, 0, 0, 0)


@pytest.mark.parametrize(
    ("tally", "figures"),
    [
        (Tally(), (None, None, None)),
        (Tally(suggested=2), (0.0, None, 0.0)),
        (Tally(approved=2), (None, 0.0, 0.0)),
        (Tally(4, 2, 2, 2), (0.5, 1.0, pytest.approx(2 / 3))),
    ],
)
def test_figures_of_a_tally(tally: Tally, figures: tuple[float | None, ...]) -> None:
    assert (tally.precision, tally.recall, tally.f1) == figures


SPANS = st.tuples(st.integers(0, 9), st.integers(1, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ENTITIES = st.builds(
    Entity,
    id=st.just(""),
    name=st.sampled_from(["甲", "乙"]),
    kind=st.sampled_from(["place", "place", "person"]),
    type=st.sampled_from(["bridge", "gate"]),
    mentions=st.lists(SPANS, max_size=2).map(tuple),
)
VALUES = st.lists(ENTITIES, max_size=5).map(lambda entities: value(*entities))


def naive(ours: tuple[Entity, ...], theirs: tuple[Entity, ...], exactly: bool) -> int:
    """The most pairs any assignment gives, by trying all of them."""

    def equal(a: Entity, b: Entity) -> bool:
        if a.kind != b.kind or (exactly and a.type != b.type):
            return False
        if not a.mentions and not b.mentions:
            return a.name == b.name
        if exactly:
            return any(s == t for s in a.mentions for t in b.mentions)
        return any(set(range(*s)) & set(range(*t)) for s in a.mentions for t in b.mentions)

    few, many, turned = (ours, theirs, False) if len(ours) <= len(theirs) else (theirs, ours, True)
    return max(
        sum(equal(b, a) if turned else equal(a, b) for a, b in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )


@settings(max_examples=400, deadline=None)
@given(VALUES, VALUES)
def test_scores_are_those_of_the_best_assignment(suggested: AnnotationValue, approved: AnnotationValue) -> None:
    scores = entity_scores(suggested, approved)
    assert scores.loose.right == scores.loose.found == naive(suggested.entities, approved.entities, False)
    assert scores.exact.right == scores.exact.found == naive(suggested.entities, approved.entities, True)
    assert sum(scores.loose_by_type.values(), Tally()) == scores.loose
    assert sum(scores.exact_by_type.values(), Tally()) == scores.exact
    assert scores.loose_by_type.keys() == scores.exact_by_type.keys()


@settings(max_examples=200, deadline=None)
@given(st.text("甲乙丙", max_size=6), st.text("甲乙丙", max_size=6))
def test_edit_distance_against_the_recurrence(one: str, other: str) -> None:
    def distance(a: str, b: str) -> int:
        row = list(range(len(b) + 1))
        for n, x in enumerate(a, 1):
            last, row[0] = row[0], n
            for m, y in enumerate(b, 1):
                last, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, last + (x != y))
        return row[-1]

    longer = max(len(one), len(other))
    assert edit_distance_ratio(one, other) == pytest.approx(distance(one, other) / longer if longer else 0)


def test_untouched_looks_at_what_is_said_not_at_ids() -> None:
    one = AnnotationValue(
        entities=(entity(1, name="甲"), entity(2, "place", "gate", (0, 1), (2, 3), name="乙")),
        relations=(Relation("e1", "east_of", "e2"), Relation("e2", "beside", "e1")),
        english="x",
    )
    other = AnnotationValue(
        entities=(
            replace(one.entities[1], id="b", mentions=((2, 3), (0, 1))),
            replace(one.entities[0], id="a"),
        ),
        relations=(Relation("b", "beside", "a"), Relation("a", "east_of", "b")),
        english="x ",
    )
    assert untouched(one, other)
    assert not untouched(one, replace(other, english="y"))
    assert not untouched(one, replace(other, note="y"))
    assert not untouched(one, replace(other, relations=other.relations[:1]))
    assert not untouched(one, replace(other, relations=(other.relations[0], Relation("b", "east_of", "a"))))
    assert not untouched(one, replace(other, entities=(replace(other.entities[0], type="wall"), other.entities[1])))


def test_the_report_adds_up() -> None:
    right = value(entity(1, "place", "bridge", (0, 3)), entity(2, "place", "gate", (4, 7)))
    half = value(entity(1, "place", "bridge", (0, 3)))
    approved = replace(right, modern_chinese="甲乙丙丁", english="a")
    rows = [
        compare(replace(half, modern_chinese="甲乙"), approved, provider="qwen", model="plus", prompt="default-v1"),
        compare(approved, approved, provider="qwen", model="plus", prompt="default-v1"),
        compare(half, approved, provider="offline", model="rules-1", prompt="rules-1"),
    ]
    offline, *offline_types, all_types, bridges, gates = summarise(rows)
    assert (offline.provider, offline.passages, offline.modern_chinese_edit, offline.untouched) == (
        "offline",
        1,
        None,
        0,
    )
    assert [row.type for row in offline_types] == ["bridge", "gate"]
    assert (all_types.kind, all_types.type, all_types.passages, all_types.untouched) == ("", "", 2, 1)
    assert (all_types.suggested, all_types.approved, all_types.precision, all_types.recall) == (3, 4, 1.0, 0.75)
    assert (all_types.modern_chinese_edit, all_types.english_edit) == (0.25, 0.0)
    assert (bridges.type, bridges.passages, bridges.f1, bridges.exact_f1) == ("bridge", 2, 1.0, 1.0)
    assert (gates.type, gates.passages, gates.recall, gates.untouched) == ("gate", 2, 0.5, None)
    assert all(not isinstance(cell, (dict, list, tuple)) for row in summarise(rows) for cell in asdict(row).values())
    assert summarise([]) == []
