"""Passages: from files and from the paste box, corrected, exported."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlite_utils import Database

from core.errors import ConflictError, InputError, SongclipError
from core.texts.offsets import Flag, check_spans, reanchor
from core.texts.passage import MAX_TEXT, Passage
from core.texts.reading import ParsedFile, Rejected, read_passages
from db.annotations import Annotations
from db.connection import transaction
from db.home import Home
from db.passages import Passages

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".txt")


@dataclass
class ImportReport:
    """What became of what was offered."""

    ids: list[int] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def store_parsed(home: Home, db: Database, parsed: ParsedFile, report: ImportReport) -> None:
    """Store the passages of one parsed file and add what came of it to ``report``."""
    if parsed.passages:
        home.mark(db, "person")
    added = Passages(db).add(parsed.passages)
    report.ids.extend(added.ids)
    report.duplicates.extend(duplicate.where for duplicate in added.duplicates)
    report.rejected.extend(parsed.rejected)


def import_files(home: Home, db: Database, files: Iterable[tuple[str, bytes]]) -> ImportReport:
    """Import files given as (name, content); a file that cannot be read at all is reported as rejected whole."""
    report = ImportReport()
    for name, data in files:
        try:
            store_parsed(home, db, read_passages(name, data), report)
        except SongclipError as error:
            report.rejected.append(Rejected(name, error))
    return report


def collect_files(paths: Iterable[Path]) -> list[Path]:
    """The files that paths mean: themselves, and what can be imported inside folders.

    Raises InputError for a path that does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()))
        elif path.is_file():
            files.append(path)
        else:
            raise InputError("file_missing", file=path)
    return files


CORRECTABLE = ("source", "chapter", "text", "edition", "page", "address")


def correct_passage(db: Database, changed: Passage, *, who: str, seen: Passage | None = None) -> tuple[Flag, ...]:
    """Store a corrected text or citation and move the annotation's offsets along.

    ``seen`` is the passage as it lay before the person: only what she changed of it is stored. Raises
    ConflictError ``passage_changed`` when somebody else changed the same field meanwhile.
    Returns what could not be moved: those entities and relations stay, without a place in the text.
    """
    changed_text = changed.text.strip()
    if not changed_text:
        raise InputError("text_empty", where=f"#{changed.id}")
    if len(changed_text) > MAX_TEXT:
        raise InputError("text_too_long", where=f"#{changed.id}", length=len(changed_text), limit=MAX_TEXT)
    passages, annotations = Passages(db), Annotations(db)
    with transaction(db):
        before = passages.get(changed.id)
        if seen is not None:
            typed = {name: getattr(changed, name) for name in CORRECTABLE}
            hers = {name: value for name, value in typed.items() if value != getattr(seen, name)}
            if any(getattr(before, name) not in (getattr(seen, name), hers[name]) for name in hers):
                raise ConflictError("passage_changed", id=changed.id)
            changed = replace(before, **hers)
            if changed == before:
                return ()
        passages.update(changed, who=who)
        annotation = annotations.get(changed.id)
        if before.text == changed.text:
            return ()
        for aside in annotations.unmerged(changed.id):
            base, value = (reanchor(one, before.text, changed.text)[0] for one in (aside.base, aside.value))
            annotations.set_aside(
                changed.id, sitting=aside.sitting, who=aside.who, base=base, value=value, seq=aside.seq
            )
        if annotation.revision == 0:
            return ()
        value, flags = reanchor(annotation.value, before.text, changed.text)
        check_spans(value, changed.text)
        annotations.save(
            changed.id, value, annotation.status, version=annotation.version, who=who, why="text_corrected"
        )
    return flags
