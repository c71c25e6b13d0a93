import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.interchange import (
    AnnotationRecord,
    ImageRef,
    read_annotations,
    write_annotations,
)
from core.annotation.rules import annotate
from core.errors import InputError
from core.texts.annotation import TEXT_FIELDS, Alternative, AnnotationValue, Entity, Relation, Status
from core.texts.passage import NewPassage

TEXT = "𠮷德寿宫在望仙桥东，元系秦太师赐第。"
USERS = {
    "id": 1,
    "original_text": "德寿宫在望仙桥东，元系秦太师赐第。",
    "source": "梦粱录",
    "entities": [{"name": "德寿宫", "type": "宫殿"}, {"name": "望仙桥", "type": "桥梁"}],
    "spatial_relation": "德寿宫位于望仙桥东侧",
    "modern_chinese": "德寿宫位于望仙桥东面，原本是秦桧的赐第。",
    "english": "Deshou Palace is east of Wangxian Bridge.",
    "search_prompt": "南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧",
}


def record() -> AnnotationRecord:
    return AnnotationRecord(
        passage=NewPassage("梦粱录", "卷八", TEXT, "7", "学津讨原", "3a", "https://example.org"),
        value=annotate(TEXT),
        status=Status.APPROVED,
        provenance={"by": "王", "at": "2026-11-23T10:00:00Z", "parameters": {"t": 0.1, "seed": None}},
        images=(ImageRef("ab" * 32, "西湖图"),),
        revision=3,
        generated=True,
    )


def without_place_in_file(one: AnnotationRecord) -> AnnotationRecord:
    return replace(one, passage=replace(one.passage, where=""))


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
names = words.filter(bool)


@st.composite
def records(draw: st.DrawFn) -> AnnotationRecord:
    text = draw(st.text("德寿宫桥𠀋𠮷 \n", min_size=1, max_size=20).filter(lambda t: bool(t.strip())))
    start = st.integers(0, len(text) - 1)
    span = start.flatmap(lambda first: st.tuples(st.just(first), st.integers(first + 1, len(text))))
    entities = tuple(
        Entity(
            f"e{n}",
            draw(names),
            draw(st.sampled_from(["place", "person", "other"])),
            draw(st.sampled_from(["palace", "bridge", "other"])),
            draw(words),
            draw(st.sampled_from(["certain", "uncertain"])),
            draw(words),
            tuple(draw(st.lists(span, max_size=2))),
            draw(words),
            draw(words),
        )
        for n in range(2)
    )
    relation = Relation(
        "e0", draw(st.sampled_from(["east_of", "between", "other"])), "e1", "三", "里", draw(st.none() | span)
    )
    alternatives = st.builds(Alternative, st.sampled_from(TEXT_FIELDS), words, words)
    value = AnnotationValue(
        entities,
        (relation,),
        draw(words),
        draw(words),
        draw(words),
        draw(words),
        draw(words),
        tuple(draw(st.lists(alternatives, max_size=2))),
        tuple(draw(st.lists(words, max_size=2))),
    )
    passage = NewPassage(draw(words), draw(words), text, draw(st.sampled_from(["", "7", "007", "甲-1", "9" * 30])))
    return AnnotationRecord(passage, value, draw(st.sampled_from(Status)), {"who": draw(words)})


@given(st.lists(records(), max_size=3))
def test_nothing_is_lost_on_the_way(given_records: list[AnnotationRecord]) -> None:
    parsed = read_annotations(write_annotations(given_records).encode())
    assert parsed.rejected == parsed.moved == ()
    assert [without_place_in_file(one) for one in parsed.records] == given_records


def test_a_full_record_comes_back() -> None:
    parsed = read_annotations(write_annotations([record()]).encode("utf-8-sig"))
    assert without_place_in_file(parsed.records[0]) == record()


def test_the_users_fields_come_first_in_the_users_shape() -> None:
    (written,) = json.loads(write_annotations([record()]))
    assert list(written)[:8] == list(USERS)
    assert written["id"] == 7
    assert {"name": "德寿宫", "type": "宫殿"}.items() <= written["entities"][0].items()
    assert written["entities"][0]["mentions"] == [{"start": 1, "end": 4, "surface": "德寿宫"}]
    assert written["relations"][0]["evidence"]["surface"] == "德寿宫在望仙桥东"


def test_the_users_own_file_is_read() -> None:
    (found,) = read_annotations(json.dumps([USERS]).encode()).records
    assert (found.passage.file_id, found.passage.source, found.status) == ("1", "梦粱录", Status.SUBMITTED)
    assert [(e.type, e.source_label, e.mentions) for e in found.value.entities] == [
        ("palace", "宫殿", ((0, 3),)),
        ("bridge", "桥梁", ((4, 7),)),
    ]
    assert found.value.english == USERS["english"]


def test_a_mention_that_moved_is_located_and_reported() -> None:
    (written,) = json.loads(write_annotations([record()]))
    written["original_text"] = "故" + TEXT.replace("望仙桥", "新桥")
    parsed = read_annotations(json.dumps([written]).encode())
    (found,) = parsed.records
    spans = {entity.name: entity.mentions for entity in found.value.entities}
    assert spans["德寿宫"] == ((2, 5),)
    assert spans["望仙桥"] == ()
    assert {(moved.name, moved.spans) for moved in parsed.moved} >= {("德寿宫", ((2, 5),)), ("望仙桥", ())}
    assert found.value.relations[0].evidence is None


def broken(**changes: Any) -> dict[str, Any]:
    (written,) = json.loads(write_annotations([record()]))
    return {**written, **changes}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (7, "not_an_object"),
        ({**USERS, "original_text": " "}, "text_empty"),
        ({**USERS, "entities": "德寿宫"}, "reply_invalid"),
        (broken(status="done"), "annotation_invalid"),
        (broken(entities=[{"name": "德寿宫"}]), "annotation_invalid"),
        (broken(entities=None), "annotation_invalid"),
        (broken(entities=[]), "relation_without_entity"),
        (broken(images=[{"sha": 1}]), "annotation_invalid"),
        (broken(songclip_format=99), "format_newer"),
        (broken(provenance=[1]), "annotation_invalid"),
        (broken(alternatives=["甲"]), "annotation_invalid"),
        (broken(alternatives=[{"field": "entities", "text": "甲"}]), "annotation_invalid"),
        (broken(rejected=7), "annotation_invalid"),
    ],
)
def test_a_bad_object_costs_no_other(item: Any, code: str) -> None:
    parsed = read_annotations(json.dumps([item, USERS]).encode(), "a.json")
    assert len(parsed.records) == 1
    assert [(rejected.where, rejected.error.code) for rejected in parsed.rejected] == [("a.json #1", code)]


def test_files_from_before_the_desk_are_read_and_older_readers_still_read_ours() -> None:
    (written,) = json.loads(write_annotations([record()]))
    assert written["songclip_format"] == 1
    del written["alternatives"], written["rejected"]
    for entity in written["entities"]:
        del entity["modern"], entity["english"]
    (found,) = read_annotations(json.dumps([written]).encode()).records
    assert found.value == record().value


def test_types_outside_the_list_are_refused() -> None:
    item = broken()
    item["entities"][0]["code"] = "castle"
    assert read_annotations(json.dumps([item]).encode()).rejected[0].error.code == "place_type_unknown"


def test_spans_are_checked_before_writing() -> None:
    bad = replace(record(), value=AnnotationValue((Entity("e1", "x", mentions=((0, 999),)),)))
    with pytest.raises(InputError, match="span_out_of_range"):
        write_annotations([bad])


def test_malformed_json_says_where() -> None:
    with pytest.raises(InputError) as caught:
        read_annotations(b"[\n{]", "a.json")
    assert caught.value.details == {"file": "a.json", "line": 2, "column": 2}
