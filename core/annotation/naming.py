"""Names in running text: known ones, ones told by their ending, dates and titles of works.

An ending alone makes no name: 桥 closes 众安桥, but 小桥 is any bridge. A name by ending needs a word or mark
before it that introduces names (次曰…, 俗呼…, a list), and a sound border behind it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

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


# In the texts an ending may mean several types; the commonest in Lin'an stands here, the others in the gazetteer.
ENDINGS = {
    **dict.fromkeys("宫殿", "palace"),
    "门": "gate",
    "桥": "bridge",
    **dict.fromkeys("寺院庵", "monastery"),
    "观": "abbey",
    **dict.fromkeys("庙祠坛", "shrine"),
    "塔": "pagoda",
    **dict.fromkeys("坊厢", "ward"),
    **dict.fromkeys("街巷路", "street"),
    **dict.fromkeys("市团", "market"),
    "瓦": "theatre",
    **dict.fromkeys("铺店肆", "shop"),
    **dict.fromkeys("楼阁堂轩斋", "hall"),
    **dict.fromkeys("亭台榭", "pavilion"),
    **dict.fromkeys("园苑圃庄", "garden"),
    **dict.fromkeys("司监局", "office"),
    **dict.fromkeys("仓库", "granary"),
    **dict.fromkeys("营寨", "camp"),
    **dict.fromkeys("府宅第", "residence"),
    **dict.fromkeys("馆驿", "inn"),
    **dict.fromkeys("墓坟冢陵", "tomb"),
    **dict.fromkeys("山峰岭岩冈坞", "mountain"),
    "洞": "cave",
    **dict.fromkeys("湖池潭", "lake"),
    **dict.fromkeys("江河溪涧港", "river"),
    **dict.fromkeys("井泉", "spring"),
    **dict.fromkeys("塘堰闸堤埭渡", "waterworks"),
    **dict.fromkeys("洲屿", "island"),
}
_LONG_ENDINGS = (
    ("瓦子", "theatre"),
    ("酒库", "shop"),
    ("茶坊", "shop"),
    ("酒楼", "shop"),
    ("道院", "abbey"),
    ("书院", "school"),
    ("贡院", "school"),
    ("御园", "garden"),
    ("教场", "camp"),
    ("斗门", "waterworks"),
)
# 仙林寺 + 桥, 贡院 + 桥, 李博士桥 + 巷: a known name may be the head of a longer one.
_EXTENDING = frozenset("桥巷坊街路门瓦库仓营池井市塔园")

# No proper name holds these (numerals, 大, 小 and directions may begin one, so they are not among them).
_NEVER = "之其者也而以为在曰于有皆不无等如是所则乃又亦并及与诸各每凡此彼名使令可自至从由入出过去来见得遇凿筑建造修立设移改归赐创扁书题诗云谓呼称系即今昔尝曾已未必俱共何谁我时间处尺丈数多少几内外侧旁傍对"
_FIRST_ONLY = "一二三四五六七八九十百东西南北前后左右上下大小旧元俗第"
_BODY = f"[^\\W\\d_a-z{_NEVER}{_FIRST_ONLY}]"
_FIRST = f"[^\\W\\d_a-z{_NEVER}]"
_END = "".join(ENDINGS)
_CANDIDATE = re.compile(f"{_FIRST}{{1,2}}{_BODY}{{0,4}}?[{_END}]子?")

_ALIAS_WORD = "(?:旧|又|一|亦|元|或|俗|今|改|赐|土)(?:名|呼|称|曰|号)(?:为|曰)?"
_STRONG = re.compile(rf"(?:{_ALIAS_WORD}|(?:次|又)?曰|谓之|称为|号为|名|元系|旧系|即)[“‘《]?$")
_WEAK = re.compile(r"(?:至|自|在|过|入|出|抵|通|接|跨|转|近)$")
_AFTER = re.compile(
    r"$|[^\w]|之?[东西南北内外前后侧旁傍左右畔上下对里]|曰|名|即|元|旧|俗|又|次|在|有|与|及|也|至|自|以|于|接|通|跨"
    r"|皆|并|今|止|是|由|转|直|为|口|头"
)
_LIST_ENDINGS = frozenset("桥巷坊门寺院庵观宫殿塔瓦亭园庙祠仓营驿闸堰楼阁堂墓坟岭峰洞泉井山池")
_GENERIC = frozenset(
    "寺院 府第 酒库 茶坊 城门 水门 旱门 大殿 正殿 后殿 前殿 后门 前门 山门 三门 寺门 庙门 正门 内门 宫门 便殿 佛殿 "
    "本府 官府 州府 亭台 楼台 楼阁 池塘 石桥 小桥 大桥 浮桥 本寺 僧寺 尼寺 古寺 大寺 小园 大园 亭榭 宅院 巷陌 街巷 "
    "前街 后巷 酒楼 瓦市 茶肆 酒肆 市井 井亭 前街后巷 大小寺院 寺观 宫观 祠庙 庵院 园苑 苑圃 亭馆 池沼 溪涧 江湖 "
    "禅院 教院 道院 书院 御园 教场 新街 大街 小巷 旧路 大路 小路 一路 山路 后院 前院 东西 门楼 城楼 高楼 高堂 "
    "功德院 功德寺 香火院 香火 水旱桥 斋宫".split()
)

_ERAS = (
    "建炎 绍兴 隆兴 乾道 淳熙 绍熙 庆元 嘉泰 开禧 嘉定 宝庆 绍定 端平 嘉熙 淳祐 宝祐 开庆 景定 咸淳 德祐 "
    "元丰 元祐 政和 宣和 崇宁 大观 熙宁 庆历 天禧 天圣 祥符 太平兴国 长庆 乾宁 咸通 天宝 武德"
)
_NUMBER = "[元一二三四五六七八九十廿卅]+"
_CYCLE = "[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]"
_YEAR = f"(?:{_NUMBER}年(?:闰?{_NUMBER}月)?(?:{_CYCLE})?|{_CYCLE}|[间中初末])"
_DATE = re.compile(f"(?:{'|'.join(fold(_ERAS).split())}){_YEAR}")
_WORK = re.compile(r"《([^《》\n]{1,30})》")


def type_by_ending(name: str) -> str:
    """The place type that a folded name's ending tells, ``other`` when it tells none."""
    for ending, kind in _LONG_ENDINGS:
        if name.endswith(ending):
            return kind
    return ENDINGS.get(name[-1], "other")


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
        if not char or char not in _EXTENDING or char == text[end - 1] or text.startswith("桥道", end):
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
            yield from _named_from(text, start, strong)


def _named_from(text: str, start: int, strong: bool) -> Iterator[Found]:
    for end in _candidate_ends(text, start):
        name = text[start:end]
        if name in _GENERIC or (not strong and (len(name) < 3 or name[-1] not in _LIST_ENDINGS)):
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
        return len(name) - len(head.name) > 1 or name[-1] not in _EXTENDING
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
_LIST_NAME = f"(?:{_FIRST}{_BODY}{{0,4}}?[{''.join(sorted(_LIST_ENDINGS))}])"
_LIST = re.compile(f"{_LIST_NAME}+")


def _listed(text: str) -> Iterator[Found]:
    """Names in lists: 宝成院（旧名释迦）兴福院永隆院（…）, 狮子巷、后市街、荐桥."""
    for match in _SEGMENT.finditer(text):
        group = 1 if match.group(1) else 2
        segment, offset = match.group(group), match.start(group)
        if not _LIST.fullmatch(segment):
            continue
        names = list(re.finditer(_LIST_NAME, segment))
        if group == 2 and len(names) > 1:
            continue
        for name in names:
            if len(name.group()) >= (3 if group == 2 else 2) and name.group() not in _GENERIC:
                start, end = offset + name.start(), offset + name.end()
                yield Found(start, end, "place", type_by_ending(name.group()), "less_certain")


_ALIAS = re.compile(rf"{_ALIAS_WORD}[“‘]?([^\W\d_a-z{_NEVER}]{{2,6}})(?=[”’,。;)])")


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
