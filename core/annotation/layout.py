"""A passage as its reader reads it: folded, without the line breaks and marks of a woodblock page.

In digital Siku texts a name may run over a line end or over the two half-columns of a note, ``(舊稱都/亭驛橋)``.
Rules match on the running text, and every place in it leads back to code points of the text as stored.
"""

import re
from dataclasses import dataclass

from core.texts.annotation import Span
from core.texts.variants import fold

_SKIPPED = re.compile(r"<pb:[^>\n]{0,60}>|^#[ +][^\n]*$|¶|/(?=[^()\n]{0,40}\))|[^\S\n]+", re.MULTILINE)
_WOODBLOCK = range(12, 41)  # characters of a page's longest line; outside it, line ends are somebody's own
_FULL = 0.8  # of the longest line: from there on a line was broken because the page ended


@dataclass(frozen=True, slots=True)
class Running:
    """Running text and, for each of its code points, where it stands in the stored text."""

    text: str
    _stored: str
    _index: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """The span of the stored text that covers running text ``[start, end)``; it must not be empty."""
        return self._index[start], self._index[end - 1] + 1

    def words(self, start: int, end: int) -> str:
        """The characters of running text ``[start, end)`` as they were stored, without the page layout."""
        return "".join(self._stored[position] for position in self._index[start:end])


def running(text: str) -> Running:
    """Fold a text and take its page layout away; a line end that closes a paragraph stays as ``\\n``."""
    folded = fold(text)
    skipped = bytearray(len(folded))
    for match in _SKIPPED.finditer(folded):
        skipped[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    for position in _wrapped_line_ends(folded):
        skipped[position] = 1
    kept = tuple(position for position in range(len(folded)) if not skipped[position])
    return Running("".join(folded[position] for position in kept), text, kept)


def _wrapped_line_ends(folded: str) -> list[int]:
    """Positions of the line ends that only follow from the width of the page."""
    lines = folded.split("\n")
    widths = [len("".join(_SKIPPED.sub("", line).split())) for line in lines]
    longest = max(widths)
    if longest not in _WOODBLOCK:
        return []
    ends, position = [], -1
    for number, line in enumerate(lines[:-1]):
        position += len(line) + 1
        markup = line.strip() and not widths[number]  # a page mark between two lines of one sentence
        full = widths[number] >= _FULL * longest and _indent(lines[number + 1]) >= _indent(line)
        if markup or full:
            ends.append(position)
    return ends


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
