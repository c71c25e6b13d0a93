"""The queue: which passages a list or the desk goes through, and in which order, as SQL."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from core.texts.annotation import Status
from core.texts.variants import search_key
from db.text_index import matching

Order = Literal["source", "problems", "agreement"]
ORDERS: tuple[Order, ...] = get_args(Order)

QUEUE = "FROM passages p LEFT JOIN annotations a INDEXED BY annotations_queue ON a.passage_id = p.id"
"""Passages with what the queue asks of their annotations; the index is named, because SQLite would read whole rows."""
_ALONE = "FROM passages p"

_KEYS: dict[Order, tuple[str, ...]] = {
    "source": ("p.work", "p.id"),
    "problems": ("-coalesce(a.problems, 0)", "p.work", "p.id"),
    "agreement": ("coalesce(a.agreement, 2)", "p.work", "p.id"),  # 2 is beyond every agreement: unknown comes last
}


@dataclass(frozen=True)
class PassageFilter:
    """Which passages a list shows, and their order; empty fields do not restrict.

    ``text`` is matched with variants folded, each of its words. ``who`` made a revision of the passage, ``model``
    a suggestion that could be read. ``order`` is by work and then id, by most problems, or by least agreement of the
    models (unknown last); work and id decide where those are equal. ``unpaired`` has no picture.
    """

    text: str = ""
    work: str = ""
    status: Status | None = None
    deleted: bool = False
    who: str = ""
    model: str = ""
    problems: bool = False
    disputed: bool = False
    stale: bool = False
    unpaired: bool = False
    order: Order = "source"


def tables(wanted: PassageFilter) -> str:
    """The passages, and their annotations only where they are asked about: the join costs more than all the rest."""
    asked = wanted.status or wanted.problems or wanted.disputed or wanted.stale or wanted.order != "source"
    return QUEUE if asked else _ALONE


def where(wanted: PassageFilter) -> tuple[str, list[Any]]:
    """The condition over :func:`tables` and its values."""
    clauses, values = matching([key for word in wanted.text.split() if (key := search_key(word))])
    clauses.append("p.deleted_at IS NOT NULL" if wanted.deleted else "p.deleted_at IS NULL")
    restrictions = (
        ("p.work = ?", wanted.work),
        ("p.id IN (SELECT passage_id FROM annotation_revisions WHERE who = ?)", wanted.who),
        ("p.id IN (SELECT passage_id FROM suggestions WHERE model = ? AND value IS NOT NULL)", wanted.model),
        ("coalesce(a.status, 'new') = ?" if wanted.status is Status.NEW else "a.status = ?", wanted.status or ""),
    )
    for clause, value in restrictions:
        if value:
            clauses.append(clause)
            values.append(str(value))
    clauses += [f"a.{flag} > 0" for flag in ("problems", "disputed", "stale") if getattr(wanted, flag)]
    if wanted.unpaired:
        clauses.append(
            "NOT EXISTS (SELECT 1 FROM pairs JOIN images i ON i.id = pairs.image_id"
            " WHERE pairs.passage_id = p.id AND i.deleted_at IS NULL)"
        )
    return " AND ".join(clauses), values


def keys(order: Order) -> str:
    """What the queue is ordered by, from least to most: columns for SELECT, ORDER BY and row comparison."""
    return ", ".join(_KEYS[order])


def backwards(order: Order) -> str:
    """The same for ORDER BY in the other direction."""
    return ", ".join(f"{key} DESC" for key in _KEYS[order])


def marks(order: Order) -> str:
    """Placeholders for one passage's place in the order."""
    return ", ".join("?" for _ in _KEYS[order])
