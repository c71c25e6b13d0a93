"""Relations in running text, told by the words between names: X在Y东, Y东曰X, 次曰X, X（Y东）, 俗呼Y.

Every place name is written as one mark, so that a pattern reads as the sentence does: ``M在M东``. Only what the
words say is taken: where a pattern leaves open what is meant, nothing is suggested.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.annotation.naming import Found
from core.texts.annotation import Certainty

_MARK = "\0"  # no stored text holds it


@dataclass(frozen=True, slots=True)
class Related:
    """``subject`` CODE ``object``, as indices of the names found; the words stand at ``[start, end)``."""

    subject: int
    code: str
    object: int
    start: int
    end: int
    certainty: Certainty = "certain"
    distance: str = ""
    unit: str = ""
    note: str = ""


_CODES = {
    "东": "east_of",
    "南": "south_of",
    "西": "west_of",
    "北": "north_of",
    "东北": "northeast_of",
    "东南": "southeast_of",
    "西南": "southwest_of",
    "西北": "northwest_of",
    **dict.fromkeys(("内", "里", "中"), "inside"),
    "外": "outside",
    "前": "in_front_of",
    "后": "behind",
    **dict.fromkeys(("侧", "旁", "傍", "畔", "左", "右"), "beside"),
    **dict.fromkeys(("上", "巅"), "above"),
    **dict.fromkeys(("下", "麓"), "below"),
    **dict.fromkeys(("对巷", "相对", "对"), "opposite"),
}
_COMPASS = "东北|东南|西南|西北|东|南|西|北"
_SIDE = "内|里|外|前|后(?!巷)|侧|旁|傍|畔"
_VAGUE = "中|左|右|上|巅|下|麓"  # words of their own as well: only before a sound end
_END = r"(?=[,.。;、:)(\n]|$|\0|曰|俗|又|元|旧|即|有|自|今|名|一名|[一二三四五六七八九十百]+[余]?[里步丈])"
_PLACE = rf"(?:之|直|迤)?((?:{_COMPASS}|{_VAGUE}){_END}|(?:{_SIDE})(?![前后]))"
_DISTANCE = r"(?:([一二三四五六七八九十百千余]+)(里|步|丈))?"
_NAMED = r"[“‘]?(?:(?:旧|又|一|亦|元|或|俗|今|改|土)(?:名|呼|称|曰|号)(?:为|曰)?|旧为)[“‘]?"
_IS = rf"即(?=\0(?:{_END}|[东西南北]曰))"
_ALSO = rf"(?:{_NAMED}|{_IS})"

_LOCATED = re.compile(rf"\0[,:(\n]{{0,2}}(?:旧|今|元)?[在居据]\0{_PLACE}{_DISTANCE}")
_CALLED = re.compile(rf"\0(?:之)?({_COMPASS}|{_SIDE}|对巷|中|上|下)桥?(?:曰|名曰|名|有|则有|则)\0")
_IN_NOTE = re.compile(rf"\0\((?:旧|今)?在?(?=\0{_PLACE})")
_IN_NOTE_ITEM = re.compile(rf"\0{_PLACE}{_DISTANCE}")
_ALIAS_CHAIN = re.compile(rf"\0(?:[,(”’]{{0,2}}{_ALSO}\0)+")
_ALIAS_IN_NOTE = re.compile(rf"\0\((?:[^()\0]{{1,40}}?,{_NAMED}|[^()]{{1,60}}?[。;]{_ALSO})\0")
_ALIAS_AFTER_PLACE = re.compile(rf"\0\(在?(?:\0(?:{_COMPASS}|{_SIDE}))+{_ALSO}\0")
_FACING = re.compile(rf"\0(?:与|、)\0(?:正)?相对|\0\((?:以)?正?对\0|(?:^|(?<=[,。;(\n]))\0,?正?对\0{_END}")
_VERBS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("adjoins", re.compile(r"\0[,(]?[东西南北]?(?:接|连|邻|滨|濒|临|枕)\0")),
    ("crosses", re.compile(r"\0[,(]?跨\0")),
    ("faces", re.compile(r"\0[,(]?(?:正面|面|俯瞰|下瞰|瞰|俯)\0")),
    ("leads_to", re.compile(r"\0[,(]?(?:直至|直抵|直通|通|达|抵)\0")),
    ("part_of", re.compile(r"\0[,(]?(?:隶属|属于|隶|属)\0")),
    ("along", re.compile(r"\0[,(]?(?:沿|循|傍|绕)\0(?=[,。;)])")),
)
_BETWEEN = re.compile(r"\0[,(]?(?:在|界于|介于|居)\0(?:与|及|、)?\0之?间")
_FORMERLY_HERE = re.compile(rf"\0({_COMPASS})[,]?(?:元系|旧系|本系)\0")
_FORMERLY = re.compile(r"(?:元系|旧系|本系)\0")
_HEADED = re.compile(r"(?:^|\n)\0(?:界)?\n(?=[东西南北][至自])")
_BOUND = re.compile(r"(?:^|(?<=\n))([东西南北])至\0")
_ITEM = re.compile(
    rf"(?:(?<=\0)桥之?(?P<near>{_COMPASS})|[,。;]桥?之?(?P<side>{_COMPASS})|(?P<next>又?次)|(?<![又亦旧俗元或]))曰\0"
)
_BROKEN = re.compile(r"\n|(?<![又亦旧俗元或扁匾])曰")  # an item whose name was not found, or another paragraph
_REACH = 80  # how far, in code points, the item before a 次曰 may stand


class _Marked:
    """Running text with every place name as one mark, and the way back."""

    def __init__(self, text: str, names: list[Found]) -> None:
        self._places = [(index, found) for index, found in enumerate(names) if found.kind == "place"]
        pieces: list[str] = []
        self._origin: list[int] = []
        self.marks: list[int] = []
        position = 0
        for _, found in self._places:
            self._keep(text, position, found.start, pieces)
            self.marks.append(len(self._origin))
            self._origin.append(found.start)
            pieces.append(_MARK)
            position = found.end
        self._keep(text, position, len(text), pieces)
        self.text = "".join(pieces)

    def _keep(self, text: str, start: int, end: int, pieces: list[str]) -> None:
        pieces.append(text[start:end].replace(_MARK, " "))
        self._origin.extend(range(start, end))

    def nth(self, position: int) -> int:
        """Which mark stands at that place, or comes first after it."""
        return bisect_left(self.marks, position)

    def marks_in(self, match: re.Match[str]) -> list[int]:
        """The marks inside a match, as places in order."""
        return list(range(self.nth(match.start()), self.nth(match.end())))

    def name(self, mark: int) -> int:
        """The index of the name behind a mark."""
        return self._places[mark][0]

    def alias_certainty(self, one: int, other: int) -> Certainty:
        """A region and a lake are hardly one place: the words are there, but they may speak of something before."""
        same = self._places[one][1].type == self._places[other][1].type
        return "certain" if same else "uncertain"

    def related(
        self, subject: int, code: str, object_: int, start: int, end: int, certainty: Certainty = "certain"
    ) -> Related:
        """A relation between two marks, with its words at ``[start, end)`` of the marked text."""
        last = end - 1
        words_end = self._origin[last] + 1
        if self.text[last] == _MARK:
            words_end = self._places[self.nth(last)][1].end
        return Related(self.name(subject), code, self.name(object_), self._origin[start], words_end, certainty)


def find_relations(text: str, names: list[Found]) -> list[Related]:
    """Relations between the places among ``names`` (as :func:`core.annotation.naming.find_names` gives them)."""
    marked = _Marked(text, names)
    found: dict[tuple[int, str, int], Related] = {}
    finders = (_located, _called, _noted, _aliases, _facing, _verbs, _between, _former, _bounds, _sequence)
    for finder in finders:
        for related in finder(marked):
            found.setdefault((related.subject, related.code, related.object), related)
    return sorted(found.values(), key=lambda r: (r.start, r.end))


def _with_distance(related: Related, distance: str | None, unit: str | None) -> Related:
    if not distance:
        return related
    return Related(
        related.subject,
        related.code,
        related.object,
        related.start,
        related.end,
        related.certainty,
        distance,
        unit or "",
    )


def _located(marked: _Marked) -> Iterator[Related]:
    for match in _LOCATED.finditer(marked.text):
        subject, object_ = marked.marks_in(match)
        related = marked.related(subject, _CODES[match.group(1)], object_, match.start(), match.end())
        yield _with_distance(related, match.group(2), match.group(3))


def _called(marked: _Marked) -> Iterator[Related]:
    for match in _overlapping(_CALLED, marked.text):
        object_, subject = marked.marks_in(match)
        yield marked.related(subject, _CODES[match.group(1)], object_, match.start(), match.end())


def _noted(marked: _Marked) -> Iterator[Related]:
    """荐桥（富乐坊东）; several places in a row all hold for the head: 通济桥（丰储仓后葛家桥东）."""
    for match in _IN_NOTE.finditer(marked.text):
        head, position = marked.nth(match.start()), match.end()
        while item := _IN_NOTE_ITEM.match(marked.text, position):
            code = _CODES[item.group(1)]
            related = marked.related(head, code, marked.nth(item.start()), match.start(), item.end())
            yield _with_distance(related, item.group(2), item.group(3))
            position = item.end()


def _aliases(marked: _Marked) -> Iterator[Related]:
    for match in _ALIAS_CHAIN.finditer(marked.text):
        head, *others = marked.marks_in(match)
        for other in others:
            certainty = marked.alias_certainty(head, other)
            yield marked.related(head, "alias_of", other, match.start(), marked.marks[other] + 1, certainty)
    for pattern in (_ALIAS_IN_NOTE, _ALIAS_AFTER_PLACE):
        for match in pattern.finditer(marked.text):
            marks = marked.marks_in(match)
            certainty = marked.alias_certainty(marks[0], marks[-1])
            yield marked.related(marks[0], "alias_of", marks[-1], match.start(), match.end(), certainty)


def _facing(marked: _Marked) -> Iterator[Related]:
    for match in _overlapping(_FACING, marked.text):
        one, other = marked.marks_in(match)
        yield marked.related(one, "opposite", other, match.start(), match.end())


def _verbs(marked: _Marked) -> Iterator[Related]:
    for code, pattern in _VERBS:
        for match in _overlapping(pattern, marked.text):
            subject, object_ = marked.marks_in(match)
            yield marked.related(subject, code, object_, match.start(), match.end(), "less_certain")


def _between(marked: _Marked) -> Iterator[Related]:
    for match in _BETWEEN.finditer(marked.text):
        subject, one, other = marked.marks_in(match)
        for object_ in (one, other):
            yield marked.related(subject, "between", object_, match.start(), match.end())


def _former(marked: _Marked) -> Iterator[Related]:
    """望仙桥东元系秦太师赐第 places the residence; 德寿宫在望仙桥东，元系秦太师赐第 says what stood there before."""
    placed = set()
    for match in _FORMERLY_HERE.finditer(marked.text):
        before = marked.text[max(0, match.start() - 1) : match.start()]
        if before in ("在", "于"):
            continue
        anchor, subject = marked.marks_in(match)
        placed.add(match.end())
        yield marked.related(subject, _CODES[match.group(1)], anchor, match.start(), match.end(), "less_certain")
    for match in _FORMERLY.finditer(marked.text):
        clause = max(marked.text.rfind(stop, 0, match.start()) for stop in "。;\n()")
        topic = marked.nth(clause - 1) if marked.text[clause : clause + 1] == "(" else marked.nth(clause + 1)
        subject = marked.nth(match.start())
        if match.end() not in placed and topic < subject and marked.marks[topic] >= clause - 1 >= -2:
            start = marked.marks[topic]
            yield marked.related(topic, "former_site_of", subject, start, match.end(), "less_certain")


def _bounds(marked: _Marked) -> Iterator[Related]:
    """A heading alone on its line, and lines 东至…西至… under it."""
    for heading in _HEADED.finditer(marked.text):
        topic = marked.nth(heading.start())
        later = _HEADED.search(marked.text, heading.end())
        stop = later.start() if later else len(marked.text)
        for line in _BOUND.finditer(marked.text, heading.end(), stop):
            related = marked.related(topic, "bounded_by", marked.nth(line.end() - 1), line.start(), line.end())
            yield Related(*_fields(related), note=line.group(1))


def _fields(related: Related) -> tuple[int, str, int, int, int, Certainty]:
    return (related.subject, related.code, related.object, related.start, related.end, related.certainty)


def _sequence(marked: _Marked) -> Iterator[Related]:
    """Chains: after 次曰, and after 桥北曰 or 北曰, the object is the item named before."""
    previous: int | None = None
    before = 0
    for item in _ITEM.finditer(marked.text):
        mark = marked.nth(item.end() - 1)
        gap = marked.text[before : item.start()]
        chained = previous is not None and len(gap) <= _REACH and not _BROKEN.search(gap)
        if item.group("next") and not chained and mark > 0 and marked.marks[mark - 1] == item.start() - 1:
            previous, chained = mark - 1, True
        direction = item.group("near") or item.group("side")
        if chained and previous is not None and (direction or item.group("next")):
            code = _CODES[direction] if direction else "next_in_sequence"
            start = item.start() + (item.group()[0] in ",。;")
            yield marked.related(mark, code, previous, start, item.end())
        previous, before = mark, item.end()


def _overlapping(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    """Matches that may share their last mark with the next match's first: M接M接M."""
    position = 0
    while match := pattern.search(text, position):
        yield match
        position = max(match.end() - 1, match.start() + 1)
