import json
from typing import Any

import pytest

from core.annotation.reply import parse_reply
from core.errors import InputError

TEXT = "德夀宫在望仙橋東，元係秦太師賜第。"
REPLY: dict[str, Any] = {
    "entities": [{"name": "德寿宫", "type": "宫殿"}, {"name": "望仙桥", "type": "桥梁"}],
    "spatial_relation": "德寿宫位于望仙桥东侧",
    "modern_chinese": "德寿宫位于望仙桥东面，原本是秦桧的赐第。",
    "english": "Deshou Palace is east of Wangxian Bridge.",
    "search_prompt": "南宋临安古画中的德寿宫，宫殿建筑，望仙桥东侧",
}


@pytest.mark.parametrize(
    "form",
    [
        REPLY,
        json.dumps(REPLY),
        f"```json\n{json.dumps(REPLY, ensure_ascii=False)}\n```\n",
        {"id": 1, "original_text": TEXT, "source": "梦粱录", **REPLY},
    ],
)
def test_the_users_object_is_a_complete_reply(form: dict[str, Any] | str) -> None:
    value = parse_reply(form, TEXT)
    assert [(e.id, e.name, e.type, e.source_label, e.mentions) for e in value.entities] == [
        ("e1", "德寿宫", "palace", "宫殿", ((0, 3),)),
        ("e2", "望仙桥", "bridge", "桥梁", ((4, 7),)),
    ]
    assert (value.spatial_relation, value.english) == (REPLY["spatial_relation"], REPLY["english"])
    assert value.relations == ()


def test_unknown_types_and_names_are_kept() -> None:
    value = parse_reply({"entities": [{"name": "太湖石", "type": "奇石景致"}, {"name": "高宗", "type": "人物"}]}, TEXT)
    assert [(e.kind, e.type, e.source_label, e.mentions) for e in value.entities] == [
        ("place", "other", "奇石景致", ()),
        ("person", "other", "人物", ()),
    ]


def test_relations_in_anybodys_words() -> None:
    value = parse_reply(
        {
            "entities": REPLY["entities"],
            "relations": [
                {"subject": "德壽宮", "relation": "位于东侧", "object": "望仙桥", "evidence": "在望仙桥东"},
                {"subject": "望仙桥", "relation": "包含", "object": "德寿宫"},
                {"subject": "德寿宫", "relation": "怀念", "object": "秦太师赐第", "certainty": "low"},
            ],
        },
        TEXT,
    )
    east, inside, other = value.relations
    assert (east.subject, east.code, east.object, east.evidence) == ("e1", "east_of", "e2", (3, 8))
    assert (inside.subject, inside.code, inside.object) == ("e1", "inside", "e2")
    assert (other.code, other.note, other.certainty) == ("other", "怀念", "uncertain")
    added = value.entity(other.object)
    assert added is not None
    assert (added.name, added.mentions, added.certainty) == ("秦太师赐第", ((11, 16),), "less_certain")


def test_given_mentions_count_only_where_the_words_are_right() -> None:
    text = "断桥、断桥、断桥"
    right = parse_reply({"entities": [{"name": "断桥", "mentions": [[3, 5]]}]}, text)
    wrong = parse_reply({"entities": [{"name": "断桥", "mentions": [[2, 4], [0, 99], "断", None]}]}, text)
    assert right.entities[0].mentions == ((3, 5),)
    assert wrong.entities[0].mentions == ((0, 2), (3, 5), (6, 8))


def test_a_name_inside_a_longer_one_counts_where_it_stands_alone() -> None:
    text = "孤山路在孤山"
    value = parse_reply({"entities": [{"name": "孤山"}, {"name": "孤山路"}]}, text)
    assert [entity.mentions for entity in value.entities] == [((4, 6),), ((0, 3),)]


def test_the_same_name_twice_is_one_entity() -> None:
    value = parse_reply({"entities": [{"name": "德寿宫", "type": "宫"}, {"name": "德壽宮", "type": "宫殿"}]}, TEXT)
    assert len(value.entities) == 1


def test_sloppy_values_are_read() -> None:
    value = parse_reply(
        {
            "entities": [{"name": " 德寿宫\u0000 ", "type": None, "mentions": None, "certainty": 0.5}],
            "relations": None,
            "spatial_relation": ["甲在乙东", "丙在丁西"],
            "english": None,
            "unknown": 1,
        },
        TEXT,
    )
    assert (value.entities[0].name, value.entities[0].certainty) == ("德寿宫", "less_certain")
    assert (value.spatial_relation, value.english) == ("甲在乙东；丙在丁西", "")


@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        ({}, "entities"),
        ([], "{}"),
        ({"entities": [{"name": ""}, {"type": "桥"}]}, "entities[0].name, entities[1].name"),
        ({"entities": [], "english": {"a": 1}}, "english"),
        ({"entities": [], "relations": [{"subject": "甲"}]}, "relations[0].object"),
    ],
)
def test_errors_name_the_fields(reply: Any, fields: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_reply(json.dumps(reply), TEXT)
    assert caught.value.code == "reply_invalid"
    assert caught.value.details == {"fields": fields}


@pytest.mark.parametrize("reply", ["", "对不起，我不能", '{"entities": [', "[" * 100_000])
def test_what_is_no_json(reply: str) -> None:
    with pytest.raises(InputError, match="reply_not_json"):
        parse_reply(reply, TEXT)
