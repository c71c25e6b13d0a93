import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.parts import MAX_PROMPT, MIN_BUDGET, Part, condensed, merge, split
from core.annotation.reply import parse_reply
from core.annotation.rules import annotate
from core.annotation.tokens import text_tokens
from core.texts.annotation import AnnotationValue, Entity, Relation
from core.texts.offsets import check_spans
from core.texts.variants import fold

TEXTS = st.lists(
    st.sampled_from(
        ["德寿宫", "在望仙桥东", "𠮷", "，", "。", "；", "\n", "\n\n", "德壽宮", "次曰永清桥", "㐀" * 30, "甲" * 40]
    )
    | st.text(max_size=5),
    max_size=60,
).map("".join)


def cut(text: str, *borders: int) -> list[Part]:
    return [Part(a, b) for a, b in zip((0, *borders), (*borders, len(text)), strict=True)]


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(0, 300), st.integers(0, 60))
def test_parts_cover_the_passage_within_the_budget(text: str, budget: int, overlap: int) -> None:
    parts = split(text, budget, overlap=overlap)
    assert "".join(text[part.start : part.end] for part in parts) == text
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    for part in parts:
        assert 0 < text_tokens(text[part.start : part.end]) <= max(budget, MIN_BUDGET)
        assert part.context_before == text[max(0, part.start - overlap) : part.start]
        assert text.startswith(part.context_after, part.end)


def test_a_short_passage_is_one_part() -> None:
    assert split("德寿宫在望仙桥东。", 1000) == (Part(0, 9),)
    assert split("", 1000) == ()


@pytest.mark.parametrize(
    ("marks", "best"),
    [
        ("，。；\n\n", "\n\n"),
        ("，；。", "。"),
        ("，；", "；"),
        ("，", "，"),
    ],
)
def test_a_part_ends_at_the_best_border_of_its_second_half(marks: str, best: str) -> None:
    text = "甲" * 60 + "".join(f"{mark}乙乙" for mark in re.findall(r"\n\n|.", marks)) + "甲" * 60
    first = split(text, 80)[0]
    assert text[first.start : first.end].endswith(best)


def test_a_part_is_as_long_as_its_borders_allow_but_not_short() -> None:
    assert split("甲" * 50 + "。乙。丙。" + "丁" * 60, 80)[0].end == 55
    assert split("甲。" + "乙" * 48 + "，" + "丁" * 60, 80)[0].end == 51


def test_closing_marks_stay_with_their_sentence() -> None:
    text = "甲" * 60 + "“乙。”" + "甲" * 60
    first = split(text, 80)[0]
    assert text[: first.end].endswith("。”")


def test_the_longest_passage_without_punctuation() -> None:
    text = ("臨安府治在清波門北次曰永清橋" * 842)[:11_784]
    parts = split(text, 1000, overlap=50)
    assert len(parts) == 12
    assert "".join(text[part.start : part.end] for part in parts) == text
    merged = merge(text, [(part, parse_reply(REPLY, text[part.start : part.end])) for part in parts])
    whole = parse_reply(REPLY, text)
    assert merged.entities == whole.entities  # also the names that a border cut


REPLY = {
    "entities": [
        {"name": "临安府治", "type": "官署"},
        {"name": "清波门", "type": "城门"},
        {"name": "永清桥", "type": "桥"},
    ],
    "relations": [{"subject": "临安府治", "relation": "北", "object": "清波门", "evidence": "在清波門北"}],
}


def test_every_part_of_the_joined_annotation() -> None:
    text = "桥北曰舍人桥，𠮷。次曰永清桥，舍人桥西。\n永清桥南。"
    parts = cut(text, 9, 21)
    assert [text[part.start : part.end] for part in parts] == [
        "桥北曰舍人桥，𠮷。",
        "次曰永清桥，舍人桥西。\n",
        "永清桥南。",
    ]
    first = AnnotationValue(
        entities=(Entity("e1", "舍人桥", type="bridge", note="甲", mentions=((3, 6),)),),
        spatial_relation="舍人桥在桥北。",
        modern_chinese="桥北叫舍人桥。",
        english="North is Sheren Bridge.",
        search_prompt="南宋临安古画中的舍人桥，桥梁",
    )
    second = AnnotationValue(
        entities=(
            Entity("e1", "永清桥", type="bridge", mentions=((2, 5),)),
            Entity("e2", "舍人橋", certainty="less_certain"),
        ),
        relations=(Relation("e1", "next_in_sequence", "e2", evidence=(0, 5)),),
        spatial_relation="永清桥次于舍人桥；舍人桥在桥北",
        modern_chinese="其次叫永清桥。",
        english="Then Yongqing Bridge.",
        search_prompt="南宋临安古画中的永清桥，桥梁",
    )
    third = AnnotationValue(
        entities=(Entity("e7", "永清橋", type="bridge", note="乙", mentions=((0, 3),)),),
        modern_chinese="永清桥以南。",
        english="South of it.",
    )
    merged = merge(text, [(parts[2], third), (parts[0], first), (parts[1], second)])
    assert [(e.id, e.name, e.type, e.certainty, e.note, e.mentions) for e in merged.entities] == [
        ("e1", "舍人桥", "bridge", "certain", "甲", ((3, 6),)),
        ("e2", "永清桥", "bridge", "certain", "乙", ((11, 14), (21, 24))),
    ]
    assert merged.relations == (Relation("e2", "next_in_sequence", "e1", evidence=(9, 14)),)
    assert merged.spatial_relation == "舍人桥在桥北；永清桥次于舍人桥"
    assert merged.modern_chinese == "桥北叫舍人桥。其次叫永清桥。\n永清桥以南。"
    assert merged.english == "North is Sheren Bridge. Then Yongqing Bridge.\nSouth of it."
    assert merged.search_prompt == "南宋临安古画中的舍人桥，永清桥，桥梁"


def test_a_name_known_before_it_is_described() -> None:
    text = "甲桥北。甲桥。甲桥。"
    bare = AnnotationValue(entities=(Entity("e1", "乙桥"),), relations=(Relation("e1", "other", "e1"),))
    bridge = AnnotationValue(entities=(Entity("e1", "乙桥", type="bridge", source_label="桥梁"),))
    merged = merge(text, list(zip(cut(text, 4, 7), (bare, bridge, bridge), strict=True)))
    assert [(e.id, e.type) for e in merged.entities] == [("e1", "bridge")]
    assert merged.relations == (Relation("e1", "other", "e1"),)


def test_the_same_statement_counts_once_and_keeps_its_evidence() -> None:
    text = "甲在乙东。甲在乙东。甲在乙东。"
    entities = (Entity("e1", "甲", mentions=((0, 1),)), Entity("e2", "乙", mentions=((2, 3),)))
    without = AnnotationValue(entities, (Relation("e1", "east_of", "e2"),))
    value = AnnotationValue(entities, (Relation("e1", "east_of", "e2", evidence=(0, 4)),))
    far = AnnotationValue(entities, (Relation("e1", "east_of", "e2", distance="三", unit="里"),))
    merged = merge(text, list(zip(cut(text, 5, 10), (without, value, far), strict=True)))
    assert merged.relations == (
        Relation("e1", "east_of", "e2", evidence=(5, 9)),
        Relation("e1", "east_of", "e2", distance="三", unit="里"),
    )


def test_one_part_is_left_as_it_is() -> None:
    text = "德寿宫在望仙桥东。"
    value = annotate(text)
    assert merge(text, [(Part(0, len(text)), value)]) == value
    assert merge(text, []) == AnnotationValue()


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(MIN_BUDGET, 120))
def test_offsets_of_joined_parts_are_right(text: str, budget: int) -> None:
    reply = {
        "entities": [
            {"name": name, "type": kind} for name, kind in (("德寿宫", "宫"), ("望仙桥", "桥"), ("永清桥", ""))
        ],
        "relations": [{"subject": "德寿宫", "relation": "东", "object": "望仙桥", "evidence": "在望仙桥东"}],
    }
    answers = [(part, parse_reply(reply, text[part.start : part.end])) for part in split(text, budget)]
    merged = merge(text, answers)
    check_spans(merged, text)
    for entity in merged.entities:
        assert all("".join(fold(text[slice(*span)]).split()) == entity.name for span in entity.mentions)
        assert set(entity.mentions) >= set(
            parse_reply({"entities": [{"name": entity.name}]}, text).entities[0].mentions
        )
    for relation in merged.relations:
        assert relation.evidence is None or "望仙" in fold(text[slice(*relation.evidence)])


def test_joined_parts_find_what_the_whole_finds() -> None:
    text = "德寿宫在望仙桥东。丰乐楼在涌金门外。" * 20
    parts = split(text, 100)
    merged = merge(text, [(part, annotate(text[part.start : part.end])) for part in parts])
    assert len(parts) > 1
    assert merged.entities == annotate(text).entities


@pytest.mark.parametrize(
    ("prompts", "joined"),
    [
        ([], ""),
        (["", "  "], ""),
        (["南宋临安古画中的断桥，桥梁", "", "南宋临安古画中的断桥，桥梁"], "南宋临安古画中的断桥，桥梁"),
        (["甲楼，高耸", "乙桥，石砌"], "甲楼，乙桥，高耸，石砌"),
        (["甲" * 80], "甲" * MAX_PROMPT),
    ],
)
def test_search_prompts_become_one_of_sensible_length(prompts: list[str], joined: str) -> None:
    assert condensed(prompts) == joined


def test_many_search_prompts_stay_within_what_the_model_reads() -> None:
    joined = condensed([f"南宋临安古画中的第{n}桥，桥梁，水景{n}" for n in range(40)])
    assert 40 <= len(joined) <= MAX_PROMPT
    assert joined.startswith("南宋临安古画中的第0桥，第1桥")
