"""From the bytes of a text file to its text: UTF-8, UTF-16 with a mark, GB18030 or Big5."""

import codecs
from functools import cache

from core.errors import InputError
from core.texts.variants import fold

# The most frequent characters of classical and modern prose and of place names (folded): they tell a right
# decoding from a wrong one even in a line of a few characters.
_FREQUENT = frozenset(
    "之其不也以而为在有曰于者人是所则与乃又亦并及名大小上中下内外前后左右东西南北里年月日时二三四五六七八九十百千万"
    "一的了我他这来到说们地个和要就出会可你对生能子那得着自去过家学如然后见用同行方面起成发道经本没还进动理明多天"
    "桥门宫寺山湖河江路街巷坊市园亭台楼阁堂院观塔庙祠池井泉岭峰城县州府司库仓营殿水石云花木风春秋金玉龙凤王帝皇公"
    "宋杭临安钱塘卷志录旧新号书文诗改建元系即呼俗称故址原作者来源正文章节出处编号页网版地址标题内容"
)
_SAMPLE = 50_000  # code points looked at
_MARKS = frozenset("，。、；：？！“”‘’（）《》「」『』【】〈〉·…—　〔〕")


@cache
def _likelihood(char: str) -> float:
    """How much a character looks like Chinese prose: from 1 (frequent) to -1 (private use, rare scripts)."""
    if char in _MARKS:
        return 0.8
    folded = fold(char)
    if folded in _FREQUENT:
        return 1.0
    if not "\u4e00" <= folded <= "\u9fff":
        return -1.0
    try:  # the first level of GB 2312 holds the 3,755 characters most used
        return 0.6 if folded.encode("gb2312") < b"\xd8" else 0.0
    except UnicodeEncodeError:
        return -0.4


def _score(text: str) -> float:
    """Mean likelihood of the non-ASCII characters, 0 when there are none."""
    marks = [_likelihood(char) for char in text[:_SAMPLE] if char > "\x7f"]
    return sum(marks) / len(marks) if marks else 0.0


def _damaged_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8 for the most part, so that another reading would be nonsense."""
    text = data.decode("utf-8", "replace")
    return text.count("\ufffd") * 8 < sum(char > "\u07ff" for char in text)


def _legacy(data: bytes) -> tuple[str, str] | None:
    candidates = []
    for encoding in ("gb18030", "big5hkscs"):
        try:
            candidates.append((data.decode(encoding), encoding))
        except UnicodeDecodeError:
            continue
    return max(candidates, key=lambda found: _score(found[0]), default=None)


def decode(data: bytes) -> tuple[str, str]:
    """The text without its byte-order mark, and the encoding it was read in.

    Between GB18030 and Big5 the reading with more characters of common Chinese wins. InputError
    ``encoding_damaged`` (with line) for broken UTF-8, ``encoding_unknown`` for anything that is no text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError:
            raise InputError("encoding_unknown") from None
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        if b"\0" in data:
            raise InputError("encoding_unknown") from None
        if _damaged_utf8(data):
            raise InputError("encoding_damaged", line=data.count(b"\n", 0, error.start) + 1) from None
    found = _legacy(data)
    if found is None:
        raise InputError("encoding_unknown")
    return found
