import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.merging import merge, resolve
from core.errors import InputError
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation
from core.texts.offsets import check_spans

_spec = importlib.util.spec_from_file_location("desk_actions", Path(__file__).with_name("desk_actions.py"))
assert _spec and _spec.loader
desk_actions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(desk_actions)
values = desk_actions.values

TEXT = "𠀋德寿宫在望仙桥东，望仙桥。"
PALACE = Entity("e1", "德寿宫", type="palace", mentions=((1, 4),))
BRIDGE = Entity("e2", "望仙桥", type="bridge", mentions=((5, 8),))
LAKE, HILL = Entity("e3", "西湖", type="lake"), Entity("e3", "孤山", type="mountain")
EAST = Relation("e1", "east_of", "e2", evidence=(1, 9))
BASE = AnnotationValue(entities=(PALACE, BRIDGE), relations=(EAST,), english="East.", note="看")


def with_entity(value: AnnotationValue, entity_id: str, **changed: object) -> AnnotationValue:
    changed_ones = (replace(e, **changed) if e.id == entity_id else e for e in value.entities)  # type: ignore[arg-type]
    return replace(value, entities=tuple(changed_ones))


def test_changes_in_different_places_stand_side_by_side() -> None:
    mine = replace(with_entity(BASE, "e1", type="hall"), english="It lies east.", rejected=("k",))
    theirs = replace(
        with_entity(BASE, "e1", note="北内"),
        relations=(replace(EAST, distance="三十"),),
        note="",
        alternatives=(Alternative("english", "A"),),
    )
    assert merge(BASE, mine, theirs).open == ()
    assert resolve(BASE, mine, theirs, {}) == AnnotationValue(
        entities=(replace(PALACE, type="hall", note="北内"), BRIDGE),
        relations=(replace(EAST, distance="三十"),),
        english="It lies east.",
        alternatives=(Alternative("english", "A"),),
        rejected=("k",),
    )


def test_a_point_says_who_changed_what() -> None:
    mine, theirs = with_entity(BASE, "e1", mentions=((0, 4),)), replace(with_entity(BASE, "e1", type="hall"), note="查")
    points = merge(BASE, mine, theirs, TEXT).points
    assert [(p.part, p.name, p.field, p.base, p.mine, p.theirs, p.only) for p in points] == [
        ("entity", "德寿宫", "type", "palace", "palace", "hall", "theirs"),
        ("entity", "德寿宫", "mentions", "德寿宫 2–4", "𠀋德寿宫 1–4", "德寿宫 2–4", "mine"),
        ("note", "", "", "看", "看", "查", "theirs"),
    ]
    assert resolve(BASE, mine, theirs, {points[0].key: "mine", points[1].key: "theirs"}) == replace(BASE, note="查")


def test_what_both_changed_waits_for_a_choice() -> None:
    mine, theirs = replace(BASE, english="Mine."), replace(BASE, english="Theirs.")
    (point,) = merge(BASE, mine, theirs).points
    assert (point.part, point.only) == ("english", "both")
    with pytest.raises(InputError, match="merge_undecided") as caught:
        resolve(BASE, mine, theirs, {})
    assert caught.value.details["key"] == point.key
    assert resolve(BASE, mine, theirs, {point.key: "theirs"}) == theirs
    assert resolve(BASE, mine, theirs, {point.key: "mine"}) == mine
    with pytest.raises(InputError, match="merge_undecided"):
        resolve(BASE, mine, theirs, {point.key: "both"})  # type: ignore[dict-item]
    assert merge(BASE, mine, mine).points == ()


def test_new_entities_with_one_id_are_two_and_keep_their_relations() -> None:
    mine = replace(BASE, entities=(*BASE.entities, LAKE), relations=(EAST, Relation("e3", "beside", "e1")))
    theirs = replace(BASE, entities=(*BASE.entities, HILL), relations=(EAST, Relation("e3", "beside", "e2")))
    merged = resolve(BASE, mine, theirs, {})
    assert [(entity.id, entity.name) for entity in merged.entities[2:]] == [("e3", "西湖"), ("e4", "孤山")]
    assert merged.relations == (EAST, Relation("e3", "beside", "e1"), Relation("e4", "beside", "e2"))


def test_the_same_new_entity_is_one() -> None:
    mine = replace(BASE, entities=(*BASE.entities, LAKE), relations=(EAST, Relation("e3", "beside", "e1")))
    theirs = replace(
        BASE, entities=(*BASE.entities, HILL, replace(LAKE, id="e4")), relations=(EAST, Relation("e4", "beside", "e1"))
    )
    merged = resolve(BASE, mine, theirs, {})
    assert sorted(entity.name for entity in merged.entities) == sorted(["德寿宫", "望仙桥", "西湖", "孤山"])
    assert len(merged.relations) == 2
    check_spans(merged, TEXT)


def test_deleted_here_and_edited_there_is_for_a_person_to_say() -> None:
    mine = AnnotationValue(entities=(BRIDGE,), english="East.", note="看")
    assert resolve(BASE, mine, BASE, {}) == mine
    for theirs in (
        with_entity(BASE, "e1", note="北内"),
        replace(BASE, relations=(EAST, Relation("e2", "beside", "e1"))),
        replace(BASE, relations=(replace(EAST, distance="三十"),)),
    ):
        (point,) = merge(BASE, mine, theirs).open
        assert (point.part, point.name, point.field, point.mine) == ("entity", "德寿宫", "", "")
        assert resolve(BASE, mine, theirs, {point.key: "mine"}) == mine
        kept = resolve(BASE, mine, theirs, {point.key: "theirs"})
        assert set(kept.entities) == set(theirs.entities)
        assert kept.relations == theirs.relations


def test_a_relation_deleted_here_and_edited_there() -> None:
    mine, theirs = replace(BASE, relations=()), replace(BASE, relations=(replace(EAST, note="?"),))
    (point,) = merge(BASE, mine, theirs, TEXT).points
    assert (point.only, point.subject, point.code, point.object) == ("both", "德寿宫", "east_of", "望仙桥")
    assert resolve(BASE, mine, theirs, {point.key: "theirs"}) == theirs
    assert resolve(BASE, mine, BASE, {}) == mine


def test_two_answers_to_one_relation_are_a_conflict_not_two_relations() -> None:
    mine, theirs = (replace(BASE, relations=(replace(EAST, code=code),)) for code in ("north_of", "west_of"))
    (point,) = merge(BASE, mine, theirs).points
    assert (point.field, point.base, point.mine, point.theirs, point.only) == (
        "code",
        "east_of",
        "north_of",
        "west_of",
        "both",
    )
    assert resolve(BASE, mine, theirs, {point.key: "theirs"}) == theirs


def test_an_id_that_was_given_again_is_not_taken_for_the_old_entity() -> None:
    base = AnnotationValue(entities=(PALACE,))
    mine = AnnotationValue(entities=(replace(BRIDGE, id="e1"),))
    theirs = with_entity(base, "e1", note="北内")
    (point,) = merge(base, mine, theirs).open
    merged = resolve(base, mine, theirs, {point.key: "theirs"})
    assert [(e.id, e.name, e.note) for e in merged.entities] == [("e1", "望仙桥", ""), ("e2", "德寿宫", "北内")]


def test_without_a_base_every_difference_is_for_a_person_to_say() -> None:
    theirs = replace(with_entity(BASE, "e1", type="hall"), english="", search_prompt="桥", relations=())
    points = merge(None, BASE, theirs).points
    assert {point.only for point in points} == {"both"}
    assert len(points) == 4
    assert resolve(None, BASE, theirs, dict.fromkeys((p.key for p in points), "theirs")) == theirs
    assert resolve(None, BASE, theirs, dict.fromkeys((p.key for p in points), "mine")) == BASE
    assert resolve(None, BASE, BASE, {}) == BASE


@given(values(), values())
def test_when_one_side_did_nothing_the_other_stands(base: AnnotationValue, changed: AnnotationValue) -> None:
    assert resolve(base, changed, base, {}) == changed
    assert resolve(base, base, changed, {}) == changed
    assert merge(base, changed, changed).points == ()
    assert resolve(base, changed, changed, {}) == changed


@given(st.none() | values(), values(), values(), st.randoms())
def test_any_choices_give_a_sound_value(
    base: AnnotationValue | None, mine: AnnotationValue, theirs: AnnotationValue, random: object
) -> None:
    points = merge(base, mine, theirs, desk_actions.TEXT).points
    assert len({point.key for point in points}) == len(points)
    sides = ("mine", "theirs")
    choices = {point.key: random.choice(sides) for point in points}  # type: ignore[attr-defined]
    check_spans(resolve(base, mine, theirs, choices), desk_actions.TEXT)
    undecided = [point for point in points if point.only == "both"]
    if undecided:
        del choices[undecided[0].key]
        with pytest.raises(InputError, match="merge_undecided"):
            resolve(base, mine, theirs, choices)


@given(values(), st.data())
def test_disjoint_changes_are_both_held(base: AnnotationValue, data: st.DataObject) -> None:
    mine, theirs = replace(base, english="mine"), replace(base, modern_chinese="theirs")
    new = Entity("e9", "吴山", mentions=((0, 1),)), Entity("e9", "钱塘", kind="work", mentions=((2, 4),))
    mine = replace(mine, entities=(*mine.entities, new[0]))
    theirs = replace(theirs, entities=(*theirs.entities, new[1]))
    if base.entities:
        place = data.draw(st.integers(0, len(base.entities) - 1))
        entity_id = base.entities[place].id
        mine, theirs = with_entity(mine, entity_id, note="mine"), with_entity(theirs, entity_id, english="theirs")
    merged = resolve(base, mine, theirs, {})
    assert (merged.english, merged.modern_chinese) == ("mine", "theirs")
    assert {"吴山", "钱塘"} <= {entity.name for entity in merged.entities}
    assert len(merged.entities) == len(base.entities) + 2
    assert len(merged.relations) == len(base.relations)
    if base.entities:
        entity = merged.entities[place]
        assert (entity.id, entity.note, entity.english) == (entity_id, "mine", "theirs")
