"""The closed lists of place types and spatial relations, and the way from anybody's wording to them.

Source: counts over 夢粱錄, 武林舊事 and 咸淳臨安志; classes are GeoNames feature classes, as in Linked
Places.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from core.errors import InputError
from core.texts.annotation import EntityClass
from core.texts.variants import fold, search_key


@dataclass(frozen=True, slots=True)
class PlaceType:
    """One place type: ``endings`` close names in the texts, ``labels`` are people's and models' wordings."""

    code: str
    zh: str
    en: str
    lp_class: str
    endings: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelationType:
    """One relation; ``inverse`` is a code or empty, ``inverse_only`` marks a code that is never stored."""

    code: str
    zh: str
    en: str
    aliases: tuple[str, ...] = ()
    inverse: str = ""
    inverse_only: bool = False


def _load() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8"))


_data = _load()

PLACE_TYPES: tuple[PlaceType, ...] = tuple(
    PlaceType(code, row["zh"], row["en"], row["lp"], tuple(row["endings"]), tuple(row["labels"]))
    for code, row in _data["places"].items()
)
_ALL_RELATIONS: tuple[RelationType, ...] = tuple(
    RelationType(
        code,
        row["zh"],
        row["en"],
        tuple(row["aliases"]),
        row.get("inverse", ""),
        row.get("inverse_only", False),
    )
    for code, row in _data["relations"].items()
)
RELATION_TYPES: tuple[RelationType, ...] = tuple(row for row in _ALL_RELATIONS if not row.inverse_only)
"""The relations a person can choose and the database can hold."""

_places = {row.code: row for row in PLACE_TYPES}
_relations = {row.code: row for row in _ALL_RELATIONS}


def place_type(code: str) -> PlaceType:
    """The place type of that code; InputError ``place_type_unknown`` for a code outside the list."""
    try:
        return _places[code]
    except KeyError:
        raise InputError("place_type_unknown", type=code) from None


def relation_type(code: str) -> RelationType:
    """The relation of that code, inverse-only ones too; InputError ``relation_unknown`` outside the list."""
    try:
        return _relations[code]
    except KeyError:
        raise InputError("relation_unknown", relation=code) from None


def label_key(label: str) -> str:
    """A wording reduced to what is compared: folded, ``_`` and ``-`` as spaces, one space between words."""
    return " ".join(fold(label).replace("_", " ").replace("-", " ").split())


def _index(rows: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    index: dict[str, str] = {}
    for code, wordings in rows:
        for wording in wordings:
            index.setdefault(label_key(wording), code)
    return index


@cache
def _place_labels() -> dict[str, str]:
    exact = _index((row.code, (row.code, row.zh, row.en, *row.labels)) for row in PLACE_TYPES)
    return {**_index((row.code, row.endings) for row in PLACE_TYPES), **exact}


@cache
def _relation_labels() -> dict[str, str]:
    return _index((row.code, (row.code, row.zh, row.en, *row.aliases)) for row in _ALL_RELATIONS)


def _tail(key: str, labels: dict[str, str]) -> str | None:
    """The code of the longest known label that closes a longer wording: 石拱桥, 'granted residence'."""
    if key.isascii():
        words = key.split()
        tails = (" ".join(words[n:]) for n in range(1, len(words)))
    else:
        tails = (key[n:] for n in range(1, len(key)))
    return next((labels[tail] for tail in tails if tail in labels), None)


def map_type(label: str) -> tuple[str, str]:
    """A wording to (place type code, the wording kept): 宫殿, Palace → palace; unknown → other."""
    labels = _place_labels()
    kept = label.strip()
    key = label_key(label)
    for suffix in ("类", "名", "建筑"):
        if key not in labels and key.endswith(suffix):
            key = key.removesuffix(suffix)
    return labels.get(key) or _tail(key, labels) or "other", kept


def map_kind(label: str) -> EntityClass:
    """The class a wording means (人物 → person); place for everything that is no other class."""
    key = label_key(label)
    for kind, wordings in _data["kinds"].items():
        if key in map(label_key, wordings):
            return kind
    return "place"


def map_relation(label: str) -> tuple[str, str]:
    """A wording to (relation code, the wording kept): 在…东, 东侧, "east of" → east_of; unknown → other.

    The code may be inverse-only (包含 → contains): store it turned round, see :func:`relation_type`.
    """
    labels = _relation_labels()
    kept = label.strip()
    key = label_key(label)
    bare = search_key(label).removeprefix("位于").removeprefix("在").strip(".…的")
    return labels.get(key) or labels.get(bare) or labels.get(bare.removesuffix("方")) or "other", kept
