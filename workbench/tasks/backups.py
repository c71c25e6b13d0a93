"""Backup, restore and check of a whole home."""

import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from sqlite_utils import Database

from core.dataset.manifest import FILE, changed_files, read_manifest
from core.errors import InputError, SongclipError, StorageError
from core.progress import Progress
from core.texts.offsets import check_spans
from db import home as storage
from db.annotations import Annotations
from db.experiments import Datasets
from db.home import Home
from db.images import Images
from db.passages import PassageFilter, Passages
from db.refusals import refusal

# zlib's own error for a damaged stream, RuntimeError for an encrypted archive.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError)

KEPT = ("images", "experiments", "songclip.toml")
"""What a backup holds beside the database; datasets, features and weights can be made again."""


def write_backup(home: Home, db: Database, target: Path, progress: Progress) -> dict[str, Any]:
    """Write database, pictures, runs and settings of a home into one ZIP file, replaced only when complete."""
    if target.is_dir() or not target.parent.is_dir():
        raise InputError("target_unusable", file=target)
    files = [file for name in KEPT for file in _files(home.path / name)]
    partial = target.with_name(target.name + ".partial")
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "songclip.db"
            storage.backup(db, copy)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(copy, "songclip.db")
                for done, file in enumerate(files, 1):
                    archive.write(file, file.relative_to(home.path).as_posix())
                    progress.report(done, len(files), "progress.backup")
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return {"file": str(target), "files": len(files) + 1, "bytes": target.stat().st_size}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []


def read_backup(home: Home, source: Path, progress: Progress) -> dict[str, Any]:
    """Bring a backup back into a home without a project; nothing is left half restored."""
    if home.exists() or any(_files(home.path / name) for name in KEPT):
        raise StorageError("home_not_empty", path=home.path)
    try:
        home.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError("home_not_writable", path=home.path) from error
    try:
        with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory(dir=home.path) as folder:
            names = archive.namelist()
            if "songclip.db" not in names or not all(_belongs(name) for name in names):
                raise InputError("backup_unreadable", file=source.name)
            for done, name in enumerate(names, 1):
                archive.extract(name, folder)
                progress.report(done, len(names), "progress.restore")
            _try_database(Home(Path(folder)), source)
            for name in KEPT:
                if (Path(folder) / name).exists():
                    _move(Path(folder) / name, home.path / name)
            # The database last: a home counts as a project from the moment it is there.
            _move(Path(folder) / "songclip.db", home.database)
    except _UNREADABLE as error:
        raise refusal(error, home.path) or InputError("backup_unreadable", file=source.name) from error
    home.open().conn.close()
    return {"path": str(home.path), "files": len(names)}


def _belongs(name: str) -> bool:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
    return inside and path.parts[:1] in {(kept,) for kept in (*KEPT, "songclip.db")}


def _try_database(unpacked: Home, source: Path) -> None:
    """Raise unless the database opens here, before anything reaches the home."""
    try:
        unpacked.open().conn.close()
    except StorageError as error:
        if error.code == "database_newer":
            raise StorageError(error.code, path=source) from error
        raise InputError("backup_unreadable", file=source.name) from error


def _move(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)  # empty folders only, or the home had been refused
    shutil.move(source, target)


def examine_home(home: Home, db: Database) -> list[dict[str, Any]]:
    """What is wrong in a home: each as ``{"what": …, …}``; empty when it is sound."""
    problems: list[dict[str, Any]] = [{"what": "database", "detail": line} for line in storage.check(db)]
    if problems:
        return problems  # what else is read from a damaged database proves nothing
    annotations = Annotations(db)
    for summary in Passages(db).page(PassageFilter(), limit=-1):
        passage = summary.passage
        try:
            check_spans(annotations.get(passage.id).value, passage.text)
        except SongclipError:
            problems.append({"what": "offsets", "id": passage.id})
    from core.imaging.store import ImageStore

    store = ImageStore(home.images)
    for image in Images(db).all():
        if not store.intact(image.sha256):
            problems.append({"what": "picture", "id": image.id, "file": image.file_name})
    return problems + _changed_datasets(home, db)


def _changed_datasets(home: Home, db: Database) -> list[dict[str, Any]]:
    """Each dataset with the files that are not as they were built; one without a folder can be built again (KEPT)."""
    problems: list[dict[str, Any]] = []
    for name in sorted(record.name for record in Datasets(db).all()):
        folder = home.datasets / name
        if not folder.is_dir():
            continue
        try:
            changed = changed_files(folder, read_manifest(folder))
        except SongclipError:
            changed = (FILE,)
        if changed:
            problems.append({"what": "dataset", "name": name, "files": ", ".join(changed)})
    return problems
