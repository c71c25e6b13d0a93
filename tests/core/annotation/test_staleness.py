"""Which texts a change makes doubtful: those that it can matter to, and no others."""

from dataclasses import replace

import pytest

from core.annotation.staleness import SOURCES, Made, stale_parts, stamp
from core.texts.annotation import AnnotationValue, Entity, Relation

PALACE = Entity("e1", "德寿宫", type="palace", mentions=((0, 3),))
BRIDGE = Entity("e2", "望仙桥", type="bridge", mentions=((4, 7),))
EAST = Relation("e1", "east_of", "e2", evidence=(0, 8))
VALUE = AnnotationValue(
    entities=(PALACE, BRIDGE),
    relations=(EAST,),
    spatial_relation="德寿宫在望仙桥东",
    modern_chinese="德寿宫在望仙桥的东面。",
    english="Deshou Palace lies east of Wangxian Bridge.",
    search_prompt="德寿宫",
)
TEXTS = set(SOURCES)
APPROVED = stamp({}, AnnotationValue(), VALUE, 1, approved=True)


def with_palace(**fields: object) -> AnnotationValue:
    return replace(VALUE, entities=(replace(PALACE, **fields), BRIDGE))  # type: ignore[arg-type]


def with_relation(**fields: object) -> AnnotationValue:
    return replace(VALUE, relations=(replace(EAST, **fields),))  # type: ignore[arg-type]


def with_entity(entity: Entity) -> AnnotationValue:
    return replace(VALUE, entities=(*VALUE.entities, entity))


def stale(value: AnnotationValue, made: Made = APPROVED) -> set[str]:
    return set(stale_parts(stamp(made, VALUE, value, 2), value))


@pytest.mark.parametrize(
    ("value", "doubtful"),
    [
        (with_palace(name="德寿宫北"), TEXTS),
        (with_palace(type="hall"), TEXTS),
        (with_palace(mentions=((0, 3), (9, 12))), set()),
        (with_palace(mentions=((0, 2),)), set()),
        (with_palace(note="北内", certainty="uncertain", source_label="宫"), set()),
        (with_palace(english="Palace of Virtue"), {"english"}),
        (with_palace(modern="北内宫"), {"modern_chinese"}),
        (with_entity(Entity("e3", "淳熙", kind="date")), TEXTS - {"spatial_relation"}),
        (with_entity(Entity("e3", "清波门", type="gate")), TEXTS),
        (replace(VALUE, entities=(BRIDGE, PALACE)), set()),
        (with_relation(evidence=(0, 7)), set()),
        (with_relation(distance="三十", unit="步"), {"spatial_relation", "search_prompt"}),
        (replace(VALUE, relations=()), {"spatial_relation", "search_prompt"}),
        (replace(VALUE, modern_chinese="宫在桥东。"), {"english", "search_prompt"}),
        (replace(VALUE, english="The palace lies east of the bridge."), set()),
    ],
)
def test_a_change_makes_doubtful_what_was_made_from_it(value: AnnotationValue, doubtful: set[str]) -> None:
    assert stale(value) == doubtful


def test_another_id_of_an_entity_says_nothing_else() -> None:
    entities = (replace(PALACE, id="e9"), BRIDGE)
    assert stale(replace(VALUE, entities=entities, relations=(replace(EAST, subject="e9"),))) == set()


def test_a_person_in_a_relation_is_named_by_it() -> None:
    person = Entity("e3", "秦太师", kind="person")
    before = replace(with_entity(person), relations=(Relation("e1", "beside", "e3"),))
    after = replace(before, entities=(PALACE, BRIDGE, replace(person, name="秦桧")))
    made = stamp(stamp({}, VALUE, before, 1, approved=True), before, after, 2)
    assert set(stale_parts(made, after)) == TEXTS


def test_what_is_confirmed_or_approved_is_right_again_and_nothing_is_stale_before() -> None:
    renamed = with_palace(name="北内")
    made = stamp(APPROVED, VALUE, renamed, 2)
    assert set(stale_parts(stamp(made, renamed, renamed, 3, confirmed=("english",)), renamed)) == TEXTS - {"english"}
    assert stale_parts(stamp(made, renamed, renamed, 3, approved=True), renamed) == {}
    assert stale_parts(stamp(stamp({}, AnnotationValue(), VALUE, 1), VALUE, renamed, 2), renamed) == {}


def test_a_moved_mention_is_a_change_of_the_entities_all_the_same() -> None:
    """Datasets cut long passages between the entities: they ask for that part."""
    made = stamp(APPROVED, VALUE, with_palace(mentions=((0, 2),)), 2)
    assert (made["entities"], made["names"]) == ((2, 2), (1, 1))


def test_stamps_of_a_version_that_knew_the_entities_as_one_part_are_read() -> None:
    new = ("names", "places", "modern_names", "english_names")
    older = {part: revisions for part, revisions in APPROVED.items() if part not in new}
    assert stale_parts(older, VALUE) == {}
    assert stale(with_palace(mentions=((0, 2),)), older) == set()
    assert stale(with_palace(english="Palace of Virtue"), older) == {"english"}
    doubtful = older | {"entities": (2, 2)}
    assert set(stale_parts(doubtful, VALUE)) == set(stale_parts(stamp(doubtful, VALUE, VALUE, 3), VALUE)) == TEXTS
