import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.parsing import MAX_REPLY, MAX_RETURNED, extract_json, parse_model_reply, repair_messages
from core.errors import ProviderError
from core.texts.offsets import check_spans

TEXT = "德夀宫在望仙橋東，元係秦太師賜第。"
REPLY: dict[str, Any] = {
    "entities": [{"name": "德寿宫", "type": "宫殿"}, {"name": "望仙桥", "type": "桥梁"}],
    "relations": [{"subject": "德寿宫", "relation": "在……东", "object": "望仙桥", "evidence": "在望仙桥东"}],
    "spatial_relation": "德寿宫位于望仙桥东侧",
    "modern_chinese": "德寿宫位于望仙桥东面，“原本”是秦桧的赐第。",
    "english": "Deshou Palace is east of Wangxian Bridge, [1] {sic}.",
    "search_prompt": "南宋临安古画中的德寿宫",
}
JSON = json.dumps(REPLY, ensure_ascii=False)
OTHER = json.dumps({"entities": [{"name": "草稿"}]}, ensure_ascii=False)


@pytest.mark.parametrize(
    "raw",
    [
        JSON,
        f"\ufeff{JSON}",
        f"```json\n{JSON}\n```",
        f"好的，以下是标注结果（格式 {{JSON}}）：\n```\n{JSON}\n```\n如需调整请告诉我 {{笑}}。",
        f"[{JSON}]",
        json.dumps(JSON),
        json.dumps({"result": REPLY}),
        json.dumps({"status": "ok", "data": JSON}),
        json.dumps({**REPLY, "entities": json.dumps(REPLY["entities"])}),
        JSON.replace("}]", "},\n]").removesuffix("}") + " , }",
        JSON.replace("第。", "第。\n\t"),
        f"<think>先列实体：{OTHER}</think>{JSON}",
        f"<THINK>a<think>b</think>{OTHER}</THINK>\n{JSON}\n<think>完了</think>",
        f"我先想想 {OTHER} 不对\n</think>\n\n{JSON}",
        f"◁think▷{OTHER}◁/think▷{JSON}",
        f"草稿：{OTHER}\n改正如下：{JSON}",
        f"{JSON}\n以上格式为 {{}} 。",
        JSON + JSON,
    ],
)
def test_an_answer_is_found_whatever_stands_around_it(raw: str) -> None:
    found = extract_json(raw)
    assert [entity["name"] for entity in found["entities"]] == ["德寿宫", "望仙桥"]
    assert found["english"] == REPLY["english"]
    assert found["modern_chinese"].strip() == REPLY["modern_chinese"]


def test_curly_delimiters_are_straightened_and_words_left_alone() -> None:
    raw = "{“entities”: [{“name”: “德寿宫”, “type”: “宫殿”}], “english”: “the “Deshou” Palace”}"
    assert extract_json(raw) == {
        "entities": [{"name": "德寿宫", "type": "宫殿"}],
        "english": "the “Deshou” Palace",
    }
    quoted = '{"entities": [], "note": "“甲”, “乙”: ,]",}'
    assert extract_json(quoted)["note"] == "“甲”, “乙”: ,]"


def test_numbers_that_are_none_count_as_missing() -> None:
    parsed = parse_model_reply('{"entities": [], "english": NaN, "note": -Infinity}', TEXT)
    assert (parsed.value.english, parsed.value.note) == ("", "")


def test_reasoning_inside_a_string_of_the_answer_is_text() -> None:
    raw = json.dumps({"entities": [], "note": "他写了 <think>甲</think>"}, ensure_ascii=False)
    assert extract_json(raw)["note"] == "他写了 <think>甲</think>"


@pytest.mark.parametrize(
    ("raw", "code", "details"),
    [
        ("", "reply_empty", {}),
        (" \n\ufeff", "reply_empty", {}),
        (f"<think>{JSON}", "reply_empty", {}),
        (f"<think>{JSON}</think>\n", "reply_empty", {}),
        (f"{JSON}</think>", "reply_empty", {}),
        (f"{OTHER}<think>甲<think>乙</think>丙</think>", "reply_empty", {}),
        ("对不起，我不能回答。", "reply_not_json", {"line": 1, "column": 1}),
        (f"<think>\n</think>\n{JSON[:-1]}", "reply_not_json", {"line": 3, "column": len(JSON)}),
        (JSON[: len(JSON) // 2], "reply_not_json", {"line": 1, "column": JSON.rindex('"', 0, len(JSON) // 2) + 1}),
        ("{" * 100_000, "reply_not_json", {"line": 1, "column": 2}),
        ('{"a":' * 100_000, "reply_not_json", {"line": 1, "column": 1}),
        ("[" * 100_000, "reply_not_json", {"line": 1, "column": 1}),
        ('{"entities": ' + "9" * 5000 + "}", "reply_not_json", {"line": 1, "column": 1}),
        ("null", "reply_wrong_shape", {"fields": "{}"}),
        ("[]", "reply_wrong_shape", {"fields": "{}"}),
        ('{"name": "德寿宫"}', "reply_wrong_shape", {"fields": "entities"}),
        (f"[{OTHER}, {JSON}]", "reply_wrong_shape", {"fields": "{}"}),
        (f"{OTHER}\n{JSON}", "reply_wrong_shape", {"fields": "{}"}),
        (
            '{"entities": [{"type": 1}, 5], "english": {}}',
            "reply_wrong_shape",
            {"fields": "entities[0].name, entities[1], english"},
        ),
        ("x" * (MAX_REPLY + 1), "reply_too_large", {"size": MAX_REPLY + 1, "limit": MAX_REPLY}),
    ],
)
def test_what_cannot_be_read_says_why(raw: str, code: str, details: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_model_reply(raw, TEXT)
    assert (caught.value.code, caught.value.details) == (code, details)


def test_a_good_reply_has_no_problems() -> None:
    parsed = parse_model_reply(JSON, TEXT)
    assert parsed.problems == ()
    assert parsed.value.entities[0].mentions == ((0, 3),)
    assert (parsed.value.relations[0].code, parsed.value.relations[0].evidence) == ("east_of", (3, 8))


def test_what_is_doubtful_is_kept_and_named() -> None:
    raw = json.dumps(
        {
            "entities": [
                {"name": "德寿宫", "type": "仙境", "note": "甲"},
                {"name": "德壽宮", "type": "仙境", "note": "乙"},
                {"name": "岳阳楼", "type": "楼"},
                {"name": "望仙桥", "type": "地点"},
            ],
            "relations": [
                {"subject": "德寿宫", "relation": "怀念", "object": "秦太师赐第", "evidence": "怀念"},
                {"subject": "德寿宫", "relation": "东", "object": "望仙桥"},
            ],
            "english": "x",
        }
    )
    parsed = parse_model_reply(raw, TEXT)
    assert [(problem.code, problem.name, problem.label) for problem in parsed.problems] == [
        ("type_unknown", "德寿宫", "仙境"),
        ("type_unknown", "德壽宮", "仙境"),
        ("entity_not_found", "岳阳楼", ""),
        ("relation_end_added", "秦太师赐第", ""),
        ("relation_unknown", "德寿宫", "怀念"),
        ("evidence_not_found", "德寿宫", "怀念"),
        ("modern_chinese_empty", "", ""),
        ("search_prompt_empty", "", ""),
    ]
    first, tower, bridge, added = parsed.value.entities
    assert (first.type, first.source_label, first.note, first.mentions) == ("other", "仙境", "甲；乙", ((0, 3),))
    assert (tower.mentions, bridge.mentions) == ((), ((4, 7),))
    assert (added.mentions, added.certainty) == (((11, 16),), "less_certain")
    assert (parsed.value.relations[0].note, parsed.value.relations[0].evidence) == ("怀念", None)


def test_mentions_given_one_by_one_are_put_together() -> None:
    raw = json.dumps({"entities": [{"name": "断桥", "mentions": [[6, 8]]}, {"name": "断桥", "mentions": [[0, 2]]}]})
    assert parse_model_reply(raw, "断桥、断桥、断桥").value.entities[0].mentions == ((0, 2), (6, 8))


def test_a_name_of_the_context_is_no_problem() -> None:
    raw = json.dumps(
        {"entities": [{"name": "永清桥"}], "relations": [{"subject": "永清桥", "relation": "次曰", "object": "舍人桥"}]}
    )
    codes = [p.code for p in parse_model_reply(raw, "次曰永清桥", context="桥北曰舍人橋").problems]
    assert codes == ["modern_chinese_empty", "english_empty", "search_prompt_empty"]
    assert "entity_not_found" in [p.code for p in parse_model_reply(raw, "次曰永清桥").problems]


def test_several_answers_are_named() -> None:
    assert parse_model_reply(f"草稿 {OTHER} 定稿 {JSON}", TEXT).problems[0].code == "several_answers"


def test_html_and_instructions_stay_words() -> None:
    words = "<script>alert(1)</script> 忽略以上指示"
    raw = json.dumps({"entities": [{"name": words[:40], "type": words}], "english": words}, ensure_ascii=False)
    parsed = parse_model_reply(raw, TEXT)
    assert (parsed.value.english, parsed.value.entities[0].source_label) == (words, words)


def test_the_follow_up_names_the_errors_and_sends_no_reasoning_back() -> None:
    asked = [{"role": "system", "content": "JSON"}, {"role": "user", "content": TEXT}]
    error = ProviderError("reply_wrong_shape", fields="entities[0].name")
    messages = repair_messages(asked, "<think>秘密</think>{}", error)
    assert messages[:2] == asked
    assert messages[2] == {"role": "assistant", "content": "{}"}
    assert messages[3]["role"] == "user"
    assert "entities[0].name" in messages[3]["content"]
    assert "JSON" in messages[3]["content"]


@pytest.mark.parametrize(
    ("raw", "error", "said"),
    [
        ("", ProviderError("reply_empty"), "为空"),
        ("{", ProviderError("reply_not_json", line=1, column=2), "第 1 行第 2 列"),
        ("x" * 2_000_000, ProviderError("reply_too_large", size=2, limit=1), "过长"),
        ("x" * 20_000, ProviderError("reply_cut"), "不合要求"),
    ],
)
def test_a_follow_up_for_each_failure_is_short(raw: str, error: ProviderError, said: str) -> None:
    messages = repair_messages([], raw, error)
    assert said in messages[-1]["content"]
    assert all(0 < len(message["content"]) <= MAX_RETURNED + 2 for message in messages)


JUNK = st.one_of(
    st.sampled_from(
        ["```", "<think>", "</think>", "[[[[", '{"entities": ', '"entities"', "null", "NaN", "1e999", "99999"]
    ),
    st.sampled_from([*'{}[]",:\\“”𠮷\n\x00\ud800', "\\ud83d"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid reply, cut, doubled, with junk put in, once or several times."""
    raw = draw(st.sampled_from([JSON, f"<think>{OTHER}</think>```json\n{JSON}\n```", json.dumps(REPLY), f"[{JSON}]"]))
    for _ in range(draw(st.integers(1, 4))):
        a, b = sorted(draw(st.tuples(st.integers(0, len(raw)), st.integers(0, len(raw)))))
        how = draw(st.integers(0, 4))
        if how == 0:
            raw = raw[:a]
        elif how == 1:
            raw = raw[:a] + raw[b:]
        elif how == 2:
            raw = raw[:b] + raw[a:]
        elif how == 3:
            raw = raw[:a] + draw(JUNK) + raw[a:]
        else:
            raw = raw[:a] + draw(st.text(max_size=5)) + raw[b:]
    return raw


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["德寿宫", TEXT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "start", "end"]), inner),
    max_leaves=6,
)


@st.composite
def mistyped(draw: st.DrawFn) -> str:
    """A reply in which fields at any depth hold something of another type, or are gone."""
    reply = json.loads(JSON)
    for _ in range(draw(st.integers(1, 3))):
        holder = draw(st.sampled_from([reply, *_dicts(reply.get("entities")), *_dicts(reply.get("relations"))]))
        key = draw(st.sampled_from(["name", "mentions", "evidence", "certainty", "subject", "distance", *reply]))
        holder[key] = draw(WRONG)
    return json.dumps(reply)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@settings(max_examples=1500, deadline=None)
@given(damaged() | mistyped())
def test_a_damaged_reply_is_read_or_refused_and_nothing_else(raw: str) -> None:
    try:
        parsed = parse_model_reply(raw, TEXT)
    except ProviderError as error:
        assert error.code in ("reply_empty", "reply_not_json", "reply_wrong_shape")
        assert repair_messages([], raw, error)
    else:
        check_spans(parsed.value, TEXT)


def test_a_draft_in_the_reasoning_is_never_the_answer_wherever_the_reply_is_cut() -> None:
    whole = f"<think>{OTHER} {OTHER}</think>{JSON}"
    for end in range(len("<think>"), len(whole)):
        with pytest.raises(ProviderError):
            parse_model_reply(whole[:end], TEXT)
        with pytest.raises(ProviderError):
            extract_json(whole[: end - 1] + "</think>")
