"""One row of a file, under whatever column names, to one passage: names, cleaning and refusals."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.errors import InputError, SongclipError
from core.texts.passage import MAX_TEXT, NewPassage
from core.texts.vocabulary import label_key

MAX_FIELD = 1000
"""Longest source, chapter, edition, page or address, in code points."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "file_id": ("id", "编号", "序号", "号", "no", "number", "file_id"),
    "source": ("source", "书名", "出处", "来源", "典籍", "文献", "作品", "book", "title", "work"),
    "chapter": (
        "chapter",
        "卷",
        "章",
        "篇",
        "卷次",
        "卷名",
        "卷目",
        "篇名",
        "篇目",
        "章节",
        "volume",
        "section",
    ),
    "text": (
        "text",
        "原文",
        "正文",
        "内容",
        "文本",
        "文字",
        "original text",
        "original",
        "content",
        "passage",
    ),
    "edition": ("edition", "版本", "底本", "版次"),
    "page": ("page", "页", "页码", "叶", "页数", "pages"),
    "address": ("address", "url", "uri", "网址", "链接", "地址", "网页", "link", "来源网址"),
}
"""The fields of a passage and the column names they go by (compared after folding)."""

_field_of = {label_key(name): field for field, names in COLUMNS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row that was not taken: where it stood (``file.csv:12``, ``file.json #3``) and why."""

    where: str
    error: SongclipError


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a file or a form held: the passages that can be stored, and the rows that cannot."""

    passages: tuple[NewPassage, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def field_of(column: str) -> str | None:
    """The passage field a column name stands for (书名 → source), or None."""
    return _field_of.get(label_key(column))


def require_text_column(columns: Iterable[str], file: str) -> None:
    """InputError ``column_missing``, naming the columns found, unless one of them holds the text."""
    found = [str(column).strip() for column in columns]
    if not any(field_of(column) == "text" for column in found):
        shown = ", ".join(column[:20] for column in found[:12] if column) or "–"
        raise InputError("column_missing", file=file, columns=shown, wanted="text / 原文")


def clean_text(text: str) -> str:
    """The text with line ends as LF and without outer white space; nothing else is changed."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _check_characters(value: str, where: str) -> None:
    """Refuse what no source holds and no database keeps: control characters and half surrogate pairs."""
    for char in value:
        if (char < " " and char not in "\n\t") or (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"):
            raise InputError("control_character", where=where, character=f"U+{ord(char):04X}")


def _plain(value: object, where: str) -> str:
    """A cell as text: strings as they are, numbers as written, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        raise InputError("not_a_text", where=where)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def new_passage(row: Mapping[str, object], where: str, source: str = "") -> NewPassage:
    """One row as a passage; ``source`` fills in where the row names none; unknown columns are left.

    InputError: ``text_empty``, ``text_too_long``, ``control_character``, ``not_a_text``, ``field_too_long``.
    """
    fields: dict[str, str] = {}
    for column, cell in row.items():
        field = field_of(column)
        if field is None:
            continue
        value = clean_text(_plain(cell, where))
        _check_characters(value, where)
        if field == "text":
            fields.setdefault(field, value)
            continue
        value = " ".join(value.split())
        if len(value) > MAX_FIELD:
            raise InputError("field_too_long", where=where, field=column, length=len(value), limit=MAX_FIELD)
        if field == "chapter" and value and fields.get(field):  # a column 卷 beside a column 篇
            value = f"{fields[field]}·{value}"
        if value:
            fields[field] = value if field == "chapter" else fields.get(field, value)
    text = fields.pop("text", "")
    if not text:
        raise InputError("text_empty", where=where)
    if len(text) > MAX_TEXT:
        raise InputError("text_too_long", where=where, length=len(text), limit=MAX_TEXT)
    return NewPassage(
        source=fields.pop("source", source),
        chapter=fields.pop("chapter", ""),
        text=text,
        where=where,
        **fields,
    )


def gather(rows: Iterable[tuple[str, Mapping[str, object] | SongclipError]], source: str = "") -> ParsedFile:
    """Rows (where, row or the error already met) to a ParsedFile; a bad row never costs the others."""
    passages: list[NewPassage] = []
    rejected: list[Rejected] = []
    for where, row in rows:
        try:
            if isinstance(row, SongclipError):
                raise row
            passages.append(new_passage(row, where, source))
        except SongclipError as error:
            rejected.append(Rejected(where, error))
    return ParsedFile(tuple(passages), tuple(rejected))
