"""The catalogues: every sentence a person reads, in Chinese and in English, side by side.

Files under ``catalogue/`` are merged; ``[jobs.state_done]`` becomes the key ``jobs.state_done``.
"""

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from core.errors import SongclipError

Language = Literal["zh", "en"]
LANGUAGES: dict[Language, str] = {"zh": "中文", "en": "English"}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All entries by key; raises ValueError when two files define the same key."""
    entries: dict[str, dict[str, str]] = {}
    for file in sorted((Path(__file__).parent / "catalogue").glob("*.toml")):
        for key, entry in _flatten(tomllib.loads(file.read_text(encoding="utf-8")), ""):
            if key in entries:
                raise ValueError(f"{key} stands twice, again in {file.name}")
            entries[key] = entry
    return entries


def _flatten(table: dict[str, Any], prefix: str) -> list[tuple[str, dict[str, str]]]:
    if table and all(isinstance(value, str) for value in table.values()):
        return [(prefix, table)]
    return [
        entry
        for name, inner in table.items()
        if isinstance(inner, dict)
        for entry in _flatten(inner, f"{prefix}.{name}" if prefix else name)
    ]


def translate(key: str, language: Language, /, **details: object) -> str:
    """The sentence for ``key`` with its placeholders filled; a key without a sentence is shown as itself."""
    entry = catalogue().get(key)
    if entry is None:
        return key
    return entry[language].format_map(_Details(details))


class _Absent:
    def __format__(self, spec: str) -> str:
        return "…"


class _Details(dict[str, object]):
    """A detail that an older record does not carry leaves its place empty instead of breaking the sentence."""

    def __missing__(self, name: str) -> _Absent:
        return _Absent()


def explain(error: SongclipError, language: Language) -> str:
    """What happened, what was kept and what to do next."""
    return translate(f"errors.{error.code}", language, **error.details)


def language_of(locale: str | None) -> Language:
    """The catalogue that fits a locale such as ``zh-Hant-TW`` or ``en_GB.UTF-8``."""
    return "zh" if (locale or "").lower().startswith("zh") else "en"


def environment_language() -> Language:
    """The command line's language: SONGCLIP_LANGUAGE, then the locale of the shell."""
    for name in ("SONGCLIP_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return language_of(os.environ[name])
    return "en"
