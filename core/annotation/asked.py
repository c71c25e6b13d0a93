"""What a browser asks for, read strictly: each part of an action has its type, range and size, or is refused."""

import re
from collections.abc import Container, Mapping
from typing import Any

from core.annotation.locating import Locator
from core.errors import InputError
from core.texts.annotation import AnnotationValue, Entity, Span

MAX_TEXT = 60_000
"""Longest text or note, in code points."""
MAX_LINE = 1_000
"""Longest label, rendering, distance or unit, in code points."""

_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def storable(text: str) -> str:
    """The text as it can be stored: surrogate pairs joined, half ones as U+FFFD, one kind of line end."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNSTORABLE.sub("", whole.replace("\r\n", "\n").replace("\r", "\n"))


class Asked:
    """One action on a value; every reader raises InputError ``action_invalid`` (what: ``add_entity.span``)."""

    def __init__(
        self, value: AnnotationValue, text: str, action: Mapping[str, Any], suggestion: AnnotationValue | None = None
    ) -> None:
        self.value = value
        self.text = text
        self._suggestion = suggestion
        self._action = action if isinstance(action, Mapping) else {}
        do = self._action.get("do")
        self._do = do[:40] if isinstance(do, str) else ""

    def refused(self, what: str) -> InputError:
        """The error that names this part of the action."""
        return InputError("action_invalid", what=storable(f"{self._do}.{what}"))

    def has(self, name: str) -> bool:
        """Whether that part was given at all."""
        return self._action.get(name) is not None

    def words(self, name: str, limit: int = MAX_TEXT, default: str | None = None) -> str:
        """A text as typed, at most ``limit`` code points; without a default it must be there."""
        given = self._action[name] if self.has(name) else default
        if not isinstance(given, str) or len(kept := storable(given)) > limit:
            raise self.refused(name)
        return kept

    def line(self, name: str, limit: int = MAX_LINE, default: str | None = None) -> str:
        """A text on one line, without white space at its ends."""
        return " ".join(self.words(name, limit, default).split("\n")).strip()

    def one_of(self, name: str, allowed: Container[str], default: str | None = None) -> Any:
        """A word of a closed list."""
        word = self.words(name, MAX_LINE, default)
        if word not in allowed:
            raise self.refused(name)
        return word

    def span(self, name: str) -> Span:
        """A span that lies in the text."""
        given = self._action.get(name)
        if not isinstance(given, list | tuple) or len(given) != 2 or any(type(place) is not int for place in given):
            raise self.refused(name)
        start, end = given
        if not 0 <= start < end <= len(self.text):
            raise self.refused(name)
        return start, end

    def selection(self, name: str) -> Span:
        """A span without the white space at its ends, as a double click takes it along."""
        start, end = self.span(name)
        words = self.text[start:end]
        if not words.strip():
            raise self.refused(name)
        return end - len(words.lstrip()), start + len(words.rstrip())

    def evidence(self, name: str) -> Span | None:
        """A span, or words that stand in the text; None for nothing."""
        if not self.has(name):
            return None
        if not isinstance(self._action[name], str):
            return self.span(name)
        words = self.words(name).strip()
        found = Locator(self.text).first(words) if words else None
        if words and found is None:
            raise self.refused(name)
        return found

    def index(self, name: str, length: int) -> int:
        """A place in a list of that length."""
        given = self._action.get(name)
        if type(given) is not int or not 0 <= given < length:
            raise self.refused(name)
        return given

    def entity(self, name: str) -> Entity:
        """An entity of the value, by its id."""
        given = self._action.get(name)
        found = self.value.entity(given) if isinstance(given, str) else None
        if found is None:
            raise self.refused(name)
        return found

    def suggestion(self) -> AnnotationValue:
        """The suggestion that lies beside the value."""
        if self._suggestion is None:
            raise self.refused("suggestion")
        return self._suggestion
