"""What was made from annotations, held against the annotations as they are now."""

import json
from collections.abc import Iterable, Mapping

from sqlite_utils import Database


def changed_since(
    db: Database, made_from: Mapping[str, int], *, parts: Iterable[str], statuses: Iterable[str]
) -> list[int]:
    """Of the passages (by id, with the revision that was used) those that are not the same any more, in order.

    One of the ``parts`` changed in a later revision, the annotation stands at none of the ``statuses``, or the passage
    is deleted. A part without a stamp (:mod:`core.annotation.staleness`) is taken as unchanged. One query, whose cost
    grows with the number of passages asked about and not with those that are stored.
    """
    rows = db.execute(
        "SELECT CAST(used.key AS INTEGER) AS id FROM json_each(?) used"
        " LEFT JOIN passages p ON p.id = CAST(used.key AS INTEGER) AND p.deleted_at IS NULL"
        " LEFT JOIN annotations a ON a.passage_id = p.id"
        " WHERE a.passage_id IS NULL OR a.status NOT IN (SELECT value FROM json_each(?))"
        " OR EXISTS (SELECT 1 FROM json_each(?) part"
        " WHERE json_extract(a.made, '$.\"' || part.value || '\"[0]') > used.value)"
        " ORDER BY id",
        [json.dumps(dict(made_from)), json.dumps(list(statuses)), json.dumps(sorted(parts))],
    ).fetchall()
    return [int(row[0]) for row in rows]
