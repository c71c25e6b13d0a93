"""Known names of Song Lin'an, found in running text: the longest name wins."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from core.texts.variants import fold


@dataclass(frozen=True, slots=True)
class Known:
    """A name as folded, and its place type (or ``person``)."""

    name: str
    type: str


# A name that begins with a direction is no name after these: 江西|湖南, 终南|山.
_PROVINCES = frozenset(
    [
        "江西",
        "江南",
        "江东",
        "浙西",
        "浙东",
        "山东",
        "山西",
        "河南",
        "河北",
        "河东",
        "湖南",
        "湖北",
        "淮南",
        "淮西",
        "淮东",
        "广东",
        "广西",
        "陕西",
        "终南",
    ]
)


@cache
def known_names() -> tuple[Known, ...]:
    """Every name and alias of the gazetteer file."""
    lines = files(__package__).joinpath("gazetteer.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return tuple(
        Known(fold(name), kind) for main, kind, aliases in rows for name in (main, *aliases.split("、")) if name
    )


@cache
def _by_first() -> dict[str, tuple[Known, ...]]:
    groups: dict[str, list[Known]] = {}
    for known in known_names():
        groups.setdefault(known.name[0], []).append(known)
    return {first: tuple(sorted(group, key=lambda k: -len(k.name))) for first, group in groups.items()}


def known_at(text: str, start: int) -> Known | None:
    """The longest known name that begins at that place of folded text, or None."""
    if start and text[start - 1 : start + 1] in _PROVINCES:
        return None
    found = next((k for k in _by_first().get(text[start : start + 1], ()) if text.startswith(k.name, start)), None)
    return None if found and text[max(0, start - 1) : start] == "第" else found  # 第三桥 is not 三桥


def known_in(text: str) -> Iterator[tuple[int, Known]]:
    """Known names in folded text from left to right, not overlapping."""
    position = 0
    while position < len(text):
        known = known_at(text, position)
        if known is None:
            position += 1
            continue
        yield position, known
        position += len(known.name)
