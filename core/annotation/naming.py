"""Names in running text: known ones, ones told by their ending, dates and titles of works.

An ending alone makes no name: 桥 closes 众安桥, but 小桥 is any bridge. A name by ending needs a word or mark
before it that introduces names (次曰…, 俗呼…, a list), and a sound border behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.annotation.endings import (
    ENDINGS,
    ERAS,
    EXTENDING,
    FIRST_ONLY,
    GENERIC,
    LIST_ENDINGS,
    NEVER,
    type_by_ending,
)
from core.annotation.gazetteer import known_at, known_in
from core.texts.annotation import Certainty, EntityClass
from core.texts.variants import fold


@dataclass(frozen=True, slots=True)
class Found:
    """A name at ``[start, end)`` of the running text."""

    start: int
    end: int
    kind: EntityClass
    type: str
    certainty: Certainty = "certain"


_BODY = f"[^\\W\\d_a-z{NEVER}{FIRST_ONLY}]"
_FIRST = f"[^\\W\\d_a-z{NEVER}]"
_END = "".join(ENDINGS)
_CANDIDATE = re.compile(f"{_FIRST}{{1,2}}{_BODY}{{0,4}}?[{_END}]子?")

_ALIAS_WORD = "(?:旧|又|一|亦|元|或|俗|今|改|赐|土)(?:名|呼|称|曰|号)(?:为|曰)?"
_STRONG = re.compile(rf"(?:{_ALIAS_WORD}|(?:次|又)?曰|谓之|称为|号为|名|元系|旧系|即)[“‘《]?$")
_WEAK = re.compile(r"(?:至|自|在|过|入|出|抵|通|接|跨|转|近)$")
_AFTER = re.compile(
    r"$|[^\w]|之?[东西南北内外前后侧旁傍左右畔上下对里]|曰|名|即|元|旧|俗|又|次|在|有|与|及|也|至|自|以|于|接|通|跨"
    r"|皆|并|今|止|是|由|转|直|为|口|头"
)
_NUMBER = "[元一二三四五六七八九十廿卅]+"
_CYCLE = "[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]"
_YEAR = f"(?:{_NUMBER}年(?:闰?{_NUMBER}月)?(?:{_CYCLE})?|{_CYCLE}|[间中初末])"
_DATE = re.compile(f"(?:{'|'.join(fold(ERAS).split())}){_YEAR}")
_WORK = re.compile(r"《([^《》\n]{1,30})》")


def find_names(text: str) -> list[Found]:
    """Names in running text, in order, not overlapping; titles and dates first, then the longest."""
    fixed = [Found(m.start(1), m.end(1), "work", "other") for m in _WORK.finditer(text)]
    fixed += [Found(m.start(), m.end(), "date", "other") for m in _DATE.finditer(text)]
    known = list(_known_names(text))
    others = [*_introduced(text), *_listed(text)]
    ranked = sorted([*known, *others], key=lambda f: (f.start - f.end, f.certainty != "certain"))
    taken = bytearray(len(text))
    chosen: list[Found] = []
    for found in [*fixed, *ranked]:
        if not any(taken[found.start : found.end]):
            taken[found.start : found.end] = b"\1" * (found.end - found.start)
            chosen.append(found)
    chosen += _aliases(text, chosen, taken)
    return sorted(chosen, key=lambda f: f.start)


def _known_names(text: str) -> Iterator[Found]:
    for start, known in known_in(text):
        end = start + len(known.name)
        if known.type == "person":
            yield Found(start, end, "person", "other")
            continue
        longer = end if known.type == "region" else _extended(text, end)
        if longer == end:
            yield Found(start, end, "place", known.type)
        else:
            yield Found(start, longer, "place", type_by_ending(text[start:longer]), "less_certain")


def _extended(text: str, end: int) -> int:
    """Where a known name that ends at ``end`` ends with the endings that follow it."""
    for _ in range(2):
        char = text[end : end + 1]
        if not char or char not in EXTENDING or char == text[end - 1] or text.startswith("桥道", end):
            break
        if known_at(text, end):
            break
        end += 1
    return end


def _introduced(text: str) -> Iterator[Found]:
    """Names by ending behind a word that introduces them."""
    for match in re.finditer(r"曰|名|呼|称|号|之|系|即|为|[至自在过入出抵通接跨转近]", text):
        start = match.end()
        start += text[start : start + 1] in ("“", "‘")
        before = text[max(0, match.end() - 4) : start]
        if before.rstrip("“‘")[-2:] in ("扁曰", "匾曰"):  # what a board says need not be the name of a place
            continue
        strong = _STRONG.search(before) is not None
        if strong or _WEAK.search(before):
            names = _named_from(text, start, strong)
            said = text[max(0, match.start() - 1) : match.end()] == "桥曰"  # 第三桥曰望山: no hill, a bridge
            yield from (replace(found, type="bridge") if said else found for found in names)


def _named_from(text: str, start: int, strong: bool) -> Iterator[Found]:
    for end in _candidate_ends(text, start):
        name = text[start:end]
        if name in GENERIC or (not strong and (len(name) < 3 or name[-1] not in LIST_ENDINGS)):
            continue
        if not (_AFTER.match(text, end) or known_at(text, end) or text[end] == name[-1]):
            continue
        if not _two_names(name):
            yield Found(start, end, "place", type_by_ending(name), "less_certain")
        return


def _two_names(name: str) -> bool:
    """Whether a stretch is several things (定山|奉望山, 朱桥|雪醅库, 目前|雷峰塔|寺) rather than one name."""
    if re.search(r".[桥坊寺宫殿].{2,}", name):
        return True
    head = known_at(name, 0)
    if head and len(head.name) < len(name):
        return len(name) - len(head.name) > 1 or name[-1] not in EXTENDING
    inner = ((start, known_at(name, start)) for start in range(1, len(name) - 1))
    return any(
        known is not None and (len(known.name) > 2 or start + len(known.name) == len(name))
        for start, known in inner
        if start > 1 or name[0] not in "上下东西南北前后大小旧新"
    )


def _candidate_ends(text: str, start: int) -> Iterator[int]:
    """Ends of the stretches from ``start`` that could be a name, shortest first (都亭驿, 都亭驿桥)."""
    for length in range(2, 8):
        end = start + length
        if end > len(text):
            return
        match = _CANDIDATE.fullmatch(text, start, end)
        if match and text[end : end + 1] != "子":
            yield end


_SEGMENT = re.compile(r"(?:(?<=[)\n])|^)([^\W\d_]{2,40})(?=[(\n]|$)|(?<=[、:])([^\W\d_]{3,6})(?=[、。(])")
_LIST_NAME = re.compile(f"{_FIRST}{_BODY}{{0,4}}?[{''.join(sorted(LIST_ENDINGS))}]")


def _listed(text: str) -> Iterator[Found]:
    """Names in lists: 宝成院（旧名释迦）兴福院永隆院（…）, 狮子巷、后市街、荐桥."""
    for match in _SEGMENT.finditer(text):
        run_on = match.group(1) is not None
        start, stop = match.span(1 if run_on else 2)
        ends = _name_ends(text, start, stop)
        if not ends or ends[-1] != stop or (not run_on and len(ends) > 1):
            continue
        for end in ends:
            name = text[start:end]
            if len(name) >= (2 if run_on else 3) and name not in GENERIC:
                yield Found(start, end, "place", type_by_ending(name), "less_certain")
            start = end


def _name_ends(text: str, start: int, stop: int) -> list[int]:
    """Ends of the names that a stretch falls into, each as short as can be."""
    ends: list[int] = []
    position = start
    while match := _LIST_NAME.match(text, position, stop):
        position = match.end()
        ends.append(position)
    whole = _CANDIDATE.fullmatch(text, start, stop)
    one = whole is not None and position != stop and not _two_names(text[start:stop])
    return [stop] if one else ends  # 樟木庙桥 is not 樟木庙 and 桥


_ALIAS = re.compile(rf"{_ALIAS_WORD}[“‘]?([^\W\d_a-z{NEVER}]{{2,6}})(?=[”’,。;)])")


def _aliases(text: str, chosen: list[Found], taken: bytearray) -> list[Found]:
    """Other names without an ending, 宝成院（旧名释迦）: they take the type of the name right before."""
    ends = {found.end: found for found in chosen if found.kind == "place"}
    aliases = []
    for match in _ALIAS.finditer(text):
        start, end = match.span(1)
        name = match.group(1)
        head = ends.get(_head_end(text, match.start()))
        sound = name[-1] not in "东西南北内外前后侧" and not _two_names(name) and not re.search("[桥坊门].", name)
        if head and sound and not any(taken[start:end]):
            aliases.append(Found(start, end, "place", head.type, "less_certain"))
    return aliases


def _head_end(text: str, start: int) -> int:
    """Where the name ends that words like 旧名 at ``start`` speak of: right before, or before the open note."""
    before = text[:start].rstrip("(,”’")
    if before.endswith(("。", ";")):
        note = before.rfind("(")
        return note if note > before.rfind(")") else -1
    return len(before)
