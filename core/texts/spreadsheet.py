"""Rows of CSV, TSV and XLSX files: (where, row by column name)."""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date

from core.errors import InputError
from core.texts.fields import field_of, require_text_column

MAX_ROWS = 100_000
MAX_UNPACKED = 200_000_000
"""Most bytes that the parts of an XLSX may unpack to."""
_MAX_COLUMNS = 200
_MAX_RATIO = 500

Row = tuple[str, dict[str, object]]


def csv_rows(name: str, text: str) -> Iterator[Row]:
    """The rows of a CSV or TSV under its header line; the separator is what the header uses most.

    InputError: ``column_missing``; ``table_malformed`` (with line) for a quotation mark that is never closed;
    ``too_many_rows``.
    """
    header = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(",\t;" if name.lower().endswith(".csv") else "\t,;", key=header.count)
    try:
        rows = _csv_cells(name, text, delimiter, csv.QUOTE_MINIMAL)
    except InputError:
        if delimiter != "\t":
            raise
        rows = _csv_cells(name, text, delimiter, csv.QUOTE_NONE)  # other programs write TSV without quoting
    return _under_header(name, rows)


def _csv_cells(name: str, text: str, delimiter: str, quoting: int) -> list[tuple[str, list[object]]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    rows: list[tuple[str, list[object]]] = []
    line = 1
    try:
        for cells in reader:
            rows.append((f"{name}:{line}", list(cells)))
            line = reader.line_num + 1
    except csv.Error:
        raise InputError("table_malformed", file=name, line=line) from None
    return rows


def _under_header(name: str, rows: list[tuple[str, list[object]]]) -> Iterator[Row]:
    filled = [(where, cells) for where, cells in rows if any(cell not in (None, "") for cell in cells)]
    if not filled:
        raise InputError("file_empty", file=name)
    if len(filled) > MAX_ROWS:
        raise InputError("too_many_rows", file=name, rows=len(filled), limit=MAX_ROWS)
    columns = ["" if cell is None else str(cell) for cell in filled[0][1]]
    require_text_column(columns, name)
    return ((where, dict(zip(columns, cells, strict=False))) for where, cells in filled[1:])


def _check_archive(name: str, data: bytes) -> None:
    """Refuse an archive that unpacks to far more than it weighs, or whose XML declares entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            if unpacked > MAX_UNPACKED or unpacked > _MAX_RATIO * max(len(data), 10_000):
                raise InputError("archive_too_large", file=name, limit=MAX_UNPACKED // 1_000_000)
            for part in parts:
                with archive.open(part) as stream:
                    if b"<!DOCTYPE" in stream.read(2000):
                        raise InputError("spreadsheet_damaged", file=name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError):
        raise InputError("spreadsheet_damaged", file=name) from None


def xlsx_rows(name: str, data: bytes) -> Iterator[Row]:
    """The rows of every sheet that has a text column.

    InputError: ``archive_too_large``, ``spreadsheet_damaged``, ``column_missing``, ``too_many_rows``,
    ``file_empty``.
    """
    _check_archive(name, data)
    sheets = [rows for rows in _sheets(name, data) if rows]
    if not sheets:
        raise InputError("file_empty", file=name)
    usable = [rows for rows in sheets if any(field_of(str(cell)) == "text" for cell in rows[0][1])]
    for rows in usable or sheets[:1]:
        yield from _under_header(name, rows)


def _sheets(name: str, data: bytes) -> list[list[tuple[str, list[object]]]]:
    from openpyxl import load_workbook  # heavy, and most imports are text

    try:
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        return [_sheet_cells(name, sheet) for sheet in workbook.worksheets]
    except InputError:
        raise
    except Exception:  # noqa: BLE001 - openpyxl raises whatever the broken part makes it raise
        raise InputError("spreadsheet_damaged", file=name) from None


def _sheet_cells(name: str, sheet: object) -> list[tuple[str, list[object]]]:
    rows: list[tuple[str, list[object]]] = []
    for number, cells in enumerate(sheet.iter_rows(max_col=_MAX_COLUMNS, values_only=True), start=1):  # type: ignore[attr-defined]
        if number > 10 * MAX_ROWS or len(rows) > MAX_ROWS:
            raise InputError("too_many_rows", file=name, rows=number, limit=MAX_ROWS)
        if any(cell not in (None, "") for cell in cells):
            plain = [cell.isoformat() if isinstance(cell, date) else cell for cell in cells]
            rows.append((f"{name} {sheet.title}!{number}", plain))  # type: ignore[attr-defined]
    return rows
