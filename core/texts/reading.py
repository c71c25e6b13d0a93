"""Passages from files and from what people paste: JSON, JSON lines, CSV, TSV, XLSX and plain text."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePath
from typing import Any

from core.errors import InputError, SongclipError
from core.texts.decoding import decode
from core.texts.fields import ParsedFile, Rejected, field_of, gather, require_text_column
from core.texts.spreadsheet import csv_rows, xlsx_rows

__all__ = ["MAX_FILE", "SUFFIXES", "ParsedFile", "Rejected", "parse_pasted", "read_passages"]

MAX_FILE = 20_000_000
"""Largest file accepted, in bytes; the longest source known, 咸淳臨安志, has under 2 million."""

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".xlsx", ".txt", ".text", ".md")

JsonRow = tuple[str, dict[str, Any] | SongclipError]


def read_passages(file_name: str, data: bytes) -> ParsedFile:
    """The passages of one file; the suffix of its name says the format.

    Rows that cannot be taken stand in ``rejected`` and cost no other row. InputError for the file as a whole:
    ``format_unknown``, ``file_too_large``, ``file_empty``, ``encoding_unknown``, ``encoding_damaged``,
    ``json_malformed``, ``table_malformed``, ``column_missing``, ``too_many_rows``, ``spreadsheet_damaged``,
    ``archive_too_large``.
    """
    path = PurePath(file_name.replace("\\", "/"))
    name, suffix = path.name, path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError("format_unknown", file=name, formats=" ".join(SUFFIXES[:8]))
    if len(data) > MAX_FILE:
        raise InputError("file_too_large", file=name, megabytes=len(data) // 1_000_000, limit=MAX_FILE // 1_000_000)
    if not data.strip():
        raise InputError("file_empty", file=name)
    if suffix == ".xlsx":
        return gather(xlsx_rows(name, data))
    try:
        text, _ = decode(data)
    except InputError as error:
        raise InputError(error.code, file=name, **error.details) from None
    if suffix in (".csv", ".tsv", ".tab"):
        return gather(csv_rows(name, text))
    if suffix in (".json", ".jsonl", ".ndjson"):
        return gather(_json_rows(name, text, lines=suffix != ".json"))
    return gather(_block_rows(name, text), source=path.stem)


def parse_pasted(
    text: str, source: str, chapter: str = "", edition: str = "", page: str = "", address: str = ""
) -> ParsedFile:
    """What somebody pasted, blank lines between passages; the other fields hold for all of them."""
    shared = {"source": source, "chapter": chapter, "edition": edition, "page": page, "address": address}
    blocks = _blocks(text) or [(1, "")]
    return gather((f"#{number}", {**shared, "text": block}) for number, (_, block) in enumerate(blocks, start=1))


def _blocks(text: str) -> list[tuple[int, str]]:
    """(line, text) of the blocks between blank lines; lines are counted from 1."""
    lines = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    groups = (list(group) for filled, group in groupby(lines, lambda line: bool(line[1].strip())) if filled)
    return [(group[0][0], "\n".join(line for _, line in group)) for group in groups]


def _block_rows(name: str, text: str) -> Iterator[tuple[str, dict[str, object]]]:
    blocks = _blocks(text)
    if not blocks:
        raise InputError("file_empty", file=name)
    return ((f"{name}:{line}", {"text": block}) for line, block in blocks)


def _json_rows(name: str, text: str, lines: bool) -> list[JsonRow]:
    rows = _json_line_rows(name, text) if lines else None
    if rows is None:
        try:
            value = _loads(text)
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":  # one object a line under the name .json
                raise InputError("json_malformed", file=name, line=error.lineno, column=error.colno) from None
            rows = _json_line_rows(name, text)
        else:
            items = value if isinstance(value, list) else [value]
            rows = [(f"{name} #{n}", _json_object(item, f"{name} #{n}")) for n, item in enumerate(items, start=1)]
    if not rows:
        raise InputError("file_empty", file=name)
    objects = [row for _, row in rows if isinstance(row, dict)]
    if objects and not any(field_of(key) == "text" for row in objects for key in row):
        require_text_column(dict.fromkeys(key for row in objects for key in row), name)
    return rows


def _json_line_rows(name: str, text: str) -> list[JsonRow]:
    rows: list[JsonRow] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            rows.append((where, _json_object(_loads(line), where)))
        except json.JSONDecodeError as error:
            rows.append((where, InputError("json_malformed", file=name, line=number, column=error.colno)))
    return rows


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets nested without end
        raise json.JSONDecodeError("too deep or too long", text, 0) from None


def _json_object(item: object, where: str) -> dict[str, Any] | SongclipError:
    return item if isinstance(item, dict) else InputError("not_an_object", where=where)
