import importlib.util
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.annotation.difference import Change, changes
from core.annotation.editing import apply
from core.annotation.items import items
from core.errors import InputError
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation

_spec = importlib.util.spec_from_file_location("desk_actions", Path(__file__).with_name("desk_actions.py"))
assert _spec and _spec.loader
desk_actions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(desk_actions)

TEXT = "𠀋德寿宫在望仙桥东，望仙桥。"
PALACE = Entity("e1", "德寿宫", type="palace", mentions=((1, 4),))
BRIDGE = Entity("e2", "望仙桥", type="bridge", mentions=((5, 8),))
EAST = Relation("e1", "east_of", "e2", distance="三十", unit="步", evidence=(1, 9))
VALUE = AnnotationValue(entities=(PALACE, BRIDGE), relations=(EAST,), english="East.")


def test_fields_of_an_entity_read_with_their_words() -> None:
    after = replace(
        VALUE, entities=(replace(PALACE, type="hall", note="北内"), replace(BRIDGE, mentions=((5, 8), (10, 13))))
    )
    assert changes(VALUE, after, TEXT) == (
        Change("entity", "changed", "德寿宫", "type", "palace", "hall"),
        Change("entity", "changed", "德寿宫", "note", "", "北内"),
        Change("entity", "changed", "望仙桥", "mentions", "望仙桥 6–8", "望仙桥 6–8、望仙桥 11–13"),
    )


def test_what_came_and_went() -> None:
    lake = Entity("e3", "西湖")
    after = AnnotationValue(entities=(BRIDGE, lake), relations=(Relation("e2", "beside", "e3"),), note="看")
    found = changes(VALUE, after, TEXT)
    assert found == (
        Change("entity", "removed", "德寿宫", before="德寿宫 2–4"),
        Change("entity", "added", "西湖", after="西湖"),
        Change(
            "relation",
            "removed",
            "德寿宫 east_of 望仙桥",
            before="三十步 · 德寿宫在望仙桥东 2–9",
            subject="德寿宫",
            code="east_of",
            object="望仙桥",
        ),
        Change("relation", "added", "望仙桥 beside 西湖", subject="望仙桥", code="beside", object="西湖"),
        Change("english", "removed", before="East."),
        Change("note", "added", after="看"),
    )


def test_another_code_or_distance_is_a_change_of_the_relation() -> None:
    after = replace(VALUE, relations=(replace(EAST, code="north_of", distance="五十"),))
    assert [(row.name, row.field, row.before, row.after) for row in changes(VALUE, after, TEXT)] == [
        ("德寿宫 north_of 望仙桥", "code", "east_of", "north_of"),
        ("德寿宫 north_of 望仙桥", "distance", "三十", "五十"),
    ]


def test_a_new_name_is_one_change_and_leaves_the_relations_alone() -> None:
    after = replace(VALUE, entities=(replace(PALACE, name="德寿宫北", mentions=((1, 5),)), BRIDGE))
    assert {(row.part, row.field) for row in changes(VALUE, after, TEXT)} == {
        ("entity", "name"),
        ("entity", "mentions"),
    }


def test_other_ids_and_another_order_are_no_change() -> None:
    after = AnnotationValue(
        entities=(replace(BRIDGE, id="e1"), replace(PALACE, id="e9")),
        relations=(replace(EAST, subject="e9", object="e1"),),
        english="East.",
    )
    assert changes(VALUE, after, TEXT) == ()


def test_an_id_given_again_is_another_entity() -> None:
    after = AnnotationValue(entities=(Entity("e1", "望仙桥东", mentions=((5, 9),)),))
    assert [row.what for row in changes(AnnotationValue(entities=(PALACE,)), after, TEXT)] == ["removed", "added"]


def test_competing_readings_and_rejected_items() -> None:
    before = AnnotationValue(
        alternatives=(Alternative("english", "A", "x"), Alternative("english", "B")), rejected=("k",)
    )
    after = AnnotationValue(
        alternatives=(Alternative("english", "A", "y"), Alternative("english", "C")), rejected=("l",)
    )
    assert changes(before, after, TEXT) == (
        Change("alternative", "removed", "english", before="B"),
        Change("alternative", "changed", "english", "note", "x", "y"),
        Change("alternative", "added", "english", after="C"),
        Change("rejected", "removed", "k", before="k"),
        Change("rejected", "added", "l", after="l"),
    )


@given(desk_actions.values(), desk_actions.values())
def test_a_value_does_not_differ_from_itself(one: AnnotationValue, other: AnnotationValue) -> None:
    text = desk_actions.TEXT
    assert changes(one, one, text) == ()
    back = {"added": "removed", "removed": "added", "changed": "changed"}
    there = sorted((row.part, row.what, row.before, row.after) for row in changes(one, other, text))
    assert there == sorted((row.part, back[row.what], row.after, row.before) for row in changes(other, one, text))


@given(desk_actions.values(), st.data())
def test_whatever_an_action_changed_is_told(value: AnnotationValue, data: st.DataObject) -> None:
    keys = st.sampled_from([*(item.key for item in items(value, AnnotationValue())), "none"])
    try:
        after = apply(value, desk_actions.TEXT, data.draw(desk_actions.actions(keys)), value)
    except InputError:
        return
    assert bool(changes(value, after, desk_actions.TEXT)) == (after != value)
