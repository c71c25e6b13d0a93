import pytest

from core.annotation.locating import Locator, bare

TEXT = "德夀宫在望仙\n橋東，又有豐樂樓、𠮷慶樓（舊稱都/亭驛橋）。德壽宮北。"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("德寿宫", ["德夀宫", "德壽宮"]),
        ("《德寿宫》", ["德夀宫", "德壽宮"]),
        ("德寿宫（北内）", ["德夀宫", "德壽宮"]),
        ("𠮷庆楼", ["𠮷慶樓"]),
        ("都亭驿桥", ["都/亭驛橋"]),
        (" 丰乐楼 ", ["豐樂樓"]),
        ("岳阳楼", []),
        ("", []),
        ("《》", []),
    ],
)
def test_words_are_found_as_they_are_written_in_the_passage(words: str, found: list[str]) -> None:
    assert [TEXT[slice(*span)] for span in Locator(TEXT).all(words)] == found


def test_first_is_the_first_of_all() -> None:
    assert Locator(TEXT).first("德寿宫") == (0, 3)
    assert Locator(TEXT).first("岳阳楼") is None


def test_a_name_over_a_line_end_of_a_woodblock_page() -> None:
    page = "\n".join(["臨安府治在清波門北舊凈因寺基", "建之德壽宮在望仙橋東元係秦太", "師賜第"])
    (span,) = Locator(page).all("秦太师赐第")
    assert page[slice(*span)] == "秦太\n師賜第"


def test_bare_keeps_what_is_the_name() -> None:
    assert bare("“丽正门”（南门）") == "丽正门"
    assert bare("（南门）") == ""
