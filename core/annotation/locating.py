"""Where a model's words stand in a passage: folded, then across line ends and marks, then without what it added."""

import re
from functools import cached_property

from core.annotation.layout import Running, running
from core.texts.annotation import Span
from core.texts.offsets import find_folded
from core.texts.variants import fold, search_key

_MARKS = "《》〈〉「」『』【】〔〕“”‘’\"'[]"
_REMARK = re.compile(r"[(（][^()（）]*[)）]$")  # 德寿宫（北内）: the remark is often the model's own


def bare(name: str) -> str:
    """A name without the marks around it and the remark in brackets behind it."""
    return _REMARK.sub("", name.strip()).strip(_MARKS).strip()


class Locator:
    """Finds words in one passage; folding and reading are done once for all of them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._folded = fold(text)
        self._known: dict[str, tuple[Span, ...]] = {}

    @cached_property
    def _running(self) -> Running:
        return running(self.text)

    def all(self, words: str) -> tuple[Span, ...]:
        """Every place of the words, from the left, not overlapping; empty where they do not stand."""
        if words not in self._known:
            self._known[words] = self._search(words)
        return self._known[words]

    def first(self, words: str) -> Span | None:
        """The first place of the words, or None."""
        return next(iter(self.all(words)), None)

    def _search(self, words: str) -> tuple[Span, ...]:
        for wanted in dict.fromkeys((words.strip(), bare(words))):
            if spans := find_folded(fold(wanted), self._folded) or self._across(wanted):
                return spans
        return ()

    def _across(self, words: str) -> tuple[Span, ...]:
        view = self._running
        return tuple(view.span(*span) for span in find_folded(search_key(words), view.text))
