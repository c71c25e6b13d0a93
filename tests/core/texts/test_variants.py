import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.texts.variants import fold, search_key, work_key


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    assert [fold(char) for char in text] == list(folded)


@given(st.text(alphabet=st.characters(categories=("Lo",), min_codepoint=0x3400)))
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_every_code_point_folds_to_one_settled_code_point() -> None:
    cjk = [chr(code) for code in (*range(0x2E80, 0xA000), *range(0xF900, 0xFB00), *range(0xFF00, 0xFFF0))]
    folded = fold("".join(cjk))
    assert len(folded) == len(cjk)
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("written", "modern"),
    [
        ("德夀宫", "德寿宫"),
        ("徳壽宮", "德寿宫"),
        ("和寜門", "和宁门"),
        ("髙橋", "高桥"),
        ("鳯凰山", "凤凰山"),
        ("三十歩", "三十步"),
        ("通判㕔", "通判厅"),
        ("玊津園", "玉津园"),
        ("周囬", "周回"),
        ("廵鋪", "巡铺"),
        ("寳祐橋", "宝佑桥"),
        ("湧金門外Ａ１", "涌金门外a1"),
        ("𨽻𩔖", "隶类"),
        ("望僊橋", "望仙桥"),
    ],
)
def test_variants_of_the_sources_are_alike(written: str, modern: str) -> None:
    assert fold(written) == fold(modern)


def test_different_names_stay_different() -> None:
    assert fold("德寿宫") != fold("德胜宫")
    assert fold("𠮷") != fold("吉")  # no table says so
    assert fold("𠀋𠮷") == "𠀋𠮷"


def test_what_would_change_the_length_is_left() -> None:
    assert fold("İß") == "İß"
    assert fold("\ud800") == "\ud800"
    assert len(fold(json.loads('"\\ud83d"'))) == 1
    assert len(fold(chr(sys.maxunicode))) == 1


def test_search_key_sees_across_line_breaks() -> None:
    assert search_key("臨安西\n　湖蘇堤") == "临安西湖苏堤"


def test_titles_of_one_work_share_a_key() -> None:
    titles = ["梦粱录", "梦梁录", "夢粱錄", "夢粱録", "《梦粱录》", " 夢 粱 錄 "]
    assert {work_key(title) for title in titles} == {"梦粱录"}
    assert work_key("武林舊事") == "武林旧事"
    assert work_key("淳祐臨安志") == "淳祐临安志" != work_key("咸淳臨安志")


def test_unknown_titles_fold_to_themselves() -> None:
    assert work_key("《某氏筆記》") == "某氏笔记" == work_key(work_key("某氏筆記"))
    assert work_key("") == ""
