"""In which fields two values differ: what is said counts, not how it is numbered."""

from dataclasses import replace

from core.annotation.differing import FIELDS, differing_fields
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation

VALUE = AnnotationValue(
    entities=(Entity("e1", "德寿宫", type="palace", mentions=((1, 4),)), Entity("e2", "望仙桥", type="bridge")),
    relations=(Relation("e1", "east_of", "e2", evidence=(1, 9)),),
    english="A.",
)


def test_numbering_order_and_refusals_say_nothing() -> None:
    entities = (replace(VALUE.entities[1], id="e9"), replace(VALUE.entities[0], id="e4"))
    relations = (replace(VALUE.relations[0], subject="e4", object="e9"),)
    again = replace(VALUE, entities=entities, relations=relations, rejected=("entity|place|孤山",))
    assert differing_fields(VALUE, again) == ()


def test_each_field_is_named() -> None:
    other = AnnotationValue(
        (replace(VALUE.entities[0], mentions=()), VALUE.entities[1]),
        (Relation("e2", "east_of", "e1", evidence=(1, 9)),),
        spatial_relation="b",
        modern_chinese="b",
        english="b",
        search_prompt="b",
        note="b",
        alternatives=(Alternative("english", "c"),),
    )
    assert differing_fields(VALUE, other) == differing_fields(other, VALUE) == FIELDS


def test_an_entity_said_twice_is_another_statement() -> None:
    twice = replace(VALUE, entities=(*VALUE.entities, replace(VALUE.entities[0], id="e3")))
    assert differing_fields(VALUE, twice) == ("entities",)
