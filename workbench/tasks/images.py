"""Pictures: from an upload, a folder or a command; and the pairs that connect them with passages."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlite_utils import Database

from core.errors import ConflictError, InputError, NotFoundError, SongclipError
from core.imaging.picture import read_picture
from core.imaging.store import ImageStore
from core.progress import Progress, Silent, stop_if_asked
from core.records import ImageRecord
from core.texts.reading import Rejected
from db.connection import transaction
from db.home import Home
from db.images import Images, Pairs
from db.passages import Passages
from workbench.tasks.tables import as_written, harmless, read_table

CATEGORIES = ("painting", "map", "photograph", "rubbing", "print", "object", "other")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp")
FIELDS = ("title", "category", "source", "rights", "note", "work")


@dataclass
class ImageReport:
    """What became of the pictures that were offered."""

    ids: list[int] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def add_picture(
    home: Home, db: Database, name: str, data: bytes, described: dict[str, str], *, generated: bool = False
) -> tuple[ImageRecord, bool]:
    """Validate and store one picture with its description; returns its record and whether it is new.

    Raises InputError when it is no picture; nothing is stored then.
    """
    picture = read_picture(data, name)
    home.mark(db, "demo" if generated else "person")
    ImageStore(home.images).put(picture)
    category = described.get("category", "")
    record = ImageRecord(
        id=0,
        sha256=picture.sha256,
        file_name=Path(name.replace("\\", "/")).name,
        extension=picture.extension,
        width=picture.width,
        height=picture.height,
        title=described.get("title", "").strip() or Path(name).stem,
        category=category if category in CATEGORIES else "other",
        source=described.get("source", "").strip(),
        rights=described.get("rights", "").strip(),
        note=described.get("note", "").strip(),
        work=described.get("work", "").strip(),
        dhash=picture.fingerprint,
        generated=generated,
    )
    return Images(db).add(record)


def add_pictures(
    home: Home,
    db: Database,
    files: Iterable[tuple[str, bytes]],
    described: dict[str, dict[str, str]],
    common: dict[str, str],
) -> ImageReport:
    """Store several pictures; ``described`` holds what is known of a file by its name, ``common`` of all."""
    report = ImageReport()
    for name, data in files:
        try:
            record, new = add_picture(home, db, name, data, {**common, **described.get(name, {})})
        except SongclipError as error:
            report.rejected.append(Rejected(name, error))
            continue
        if new:
            report.ids.append(record.id)
        else:
            report.duplicates.append(name)
    return report


def describe_picture(db: Database, changed: ImageRecord, *, seen: ImageRecord) -> None:
    """Store what a person changed of a picture's description as it lay before her (``seen``), and nothing else.

    Raises ConflictError ``image_changed`` when somebody else changed the same field meanwhile; nothing is stored then.
    """
    images = Images(db)
    with transaction(db):
        before = images.get(changed.id)
        hers = {name: getattr(changed, name) for name in FIELDS if getattr(changed, name) != getattr(seen, name)}
        if any(getattr(before, name) not in (getattr(seen, name), hers[name]) for name in hers):
            raise ConflictError("image_changed", id=changed.id)
        images.describe(replace(before, **hers))


def read_metadata(data: bytes, name: str = "metadata.csv") -> dict[str, dict[str, str]]:
    """A table with a column ``file`` and any of title, category, source, rights, note, work; by file name."""
    rows = read_table(name, data, ("file",))
    return {row["file"].strip(): {name: row[name] for name in FIELDS if row.get(name)} for row in rows}


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """The picture files that paths mean; InputError for a path that does not exist."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file()))
        elif path.is_file():
            files.append(path)
        else:
            raise InputError("file_missing", file=path)
    return files


def import_pictures(
    home: Home, db: Database, files: list[Path], described: dict[str, dict[str, str]], progress: Progress
) -> ImageReport:
    """Import files one by one, so that a folder of any size fits into memory."""
    report = ImageReport()
    for done, file in enumerate(files, 1):
        stop_if_asked(progress)
        one = add_pictures(home, db, [(file.name, file.read_bytes())], described, {})
        report.ids += one.ids
        report.duplicates += one.duplicates
        report.rejected += one.rejected
        progress.report(done, len(files), "progress.importing_images")
    return report


@dataclass
class PairReport:
    """What became of a table of pairs."""

    added: int = 0
    present: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def import_pairs(
    db: Database,
    data: bytes,
    *,
    who: str,
    name: str = "pairs.csv",
    refused: bool = False,
    progress: Progress | None = None,
) -> PairReport:
    """Read columns ``passage_id`` (of the list, or the file's own), ``image`` (id, SHA-256 or file name), ``note``.

    ``name`` is the file's own, for what is said of its rows. ``refused``: they are pairs that do not belong together.
    Each bad row is reported, and costs no other; so is a row that says the contrary of what somebody decided here,
    which stays.
    """
    rows = read_table(name, data, ("passage_id", "image"))
    progress = progress or Silent()
    report = PairReport()
    passages, images, pairs = Passages(db), Images(db), Pairs(db)
    decided = {(pair.passage_id, pair.image_id) for pair in pairs.all(refused=not refused)}
    wanted: list[tuple[int, int, str]] = []
    for number, row in enumerate(rows, 2):
        where = f"{name}:{number}"
        try:
            passage = passages.find(row["passage_id"])
            image = images.find(row["image"])
            if passage is None or passage.deleted_at:
                raise NotFoundError("passage_not_found", id=row["passage_id"][:30])
            if image is None:
                raise NotFoundError("image_not_found", image=row["image"])
            if (passage.id, image.id) in decided:
                raise ConflictError("pair_connected" if refused else "pair_refused", id=passage.id, image=image.id)
        except SongclipError as error:
            report.rejected.append(Rejected(where, error))
            continue
        wanted.append((passage.id, image.id, as_written(row.get("note", "").strip())))
        progress.report(number - 1, len(rows), "progress.importing_pairs")
    report.added = (pairs.refuse if refused else pairs.add)(wanted, who=who)
    report.present = len(wanted) - report.added
    return report


def export_pairs(db: Database, *, refused: bool = False) -> str:
    """The pairs, or the refused ones, as CSV, pictures by their SHA-256.

    Cells that a spreadsheet would run are quoted.
    """
    images = {image.id: image for image in Images(db).all()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["passage_id", "image", "file_name", "note"])
    for pair in Pairs(db).all(refused=refused):
        image = images[pair.image_id]
        writer.writerow([pair.passage_id, image.sha256, harmless(image.file_name), harmless(pair.note)])
    return out.getvalue()
