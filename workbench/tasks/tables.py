"""Tables people exchange: CSV and TSV in any of their encodings, as rows by column name."""

import csv
import io

from core.errors import InputError
from core.texts.decoding import decode


def read_table(name: str, data: bytes, required: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV or TSV by lower-cased column name.

    Raises InputError ``column_needed`` naming the columns found when one of ``required`` is not there.
    """
    try:
        text, _ = decode(data)
    except InputError as error:
        raise InputError(error.code, file=name, **error.details) from None
    header = next((line for line in text.split("\n") if line.strip()), "")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=header.count))
    columns = [(column or "").strip().lower() for column in reader.fieldnames or []]
    for column in required:
        if column not in columns:
            raise InputError("column_needed", column=column, found=", ".join(columns))
    reader.fieldnames = columns
    try:
        return [{column: (cell or "") for column, cell in row.items() if isinstance(column, str)} for row in reader]
    except csv.Error:
        raise InputError("table_malformed", file=name, line=reader.line_num) from None


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def as_written(cell: str) -> str:
    """What :func:`harmless` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
