import pytest

from core.errors import InputError
from core.texts.decoding import decode

SIMPLIFIED = [
    "德寿宫在望仙桥东，元系秦太师赐第。",
    "桥北曰舍人桥，次曰永清桥。",
    "清波门外聚景园",
    "书名,原文",
]
TRADITIONAL = [
    "德壽宮在望仙橋東，元係秦太師賜第。",
    "西湖舊名錢塘湖，源出於武林泉",
    "清波門外聚景園",
    "書名,原文",
]


@pytest.mark.parametrize("text", SIMPLIFIED + TRADITIONAL)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_unicode_and_gb18030(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize("text", TRADITIONAL)
def test_big5_is_told_from_gb18030(text: str) -> None:
    assert decode(text.encode("big5")) == (text, "big5hkscs")


def test_characters_outside_the_bmp() -> None:
    assert decode("政和𠮷年".encode("gb18030"))[0] == "政和𠮷年"
    assert decode("政和𠮷年".encode("utf-16"))[0] == "政和𠮷年"


def test_damaged_utf8_is_refused_with_its_line() -> None:
    data = ("德寿宫在望仙桥东\n" * 4).encode() + b"\xe5\xbe\n" + "元系秦太师赐第".encode()
    with pytest.raises(InputError) as caught:
        decode(data)
    assert caught.value.code == "encoding_damaged"
    assert caught.value.details == {"line": 5}


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe", b"\xff\xff\xff\xff", b"\xff\xfea"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="encoding_unknown"):
        decode(data)
