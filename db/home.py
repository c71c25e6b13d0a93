"""The home folder: where everything of one project stands, and how its database is opened."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from sqlite_utils import Database

from core.errors import StorageError
from db.connection import connect, now, transaction
from db.migrations import migrations
from db.refusals import refusal

_SYNCED = ("onedrive", "dropbox", "icloud", "google drive", "nutstore", "坚果云", "baidunetdisk", "百度网盘")
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p")


@dataclass(frozen=True)
class Home:
    """Paths of one project; nothing is made until :meth:`open` is called."""

    path: Path

    @property
    def database(self) -> Path:
        """Everything a person typed or decided, and every job."""
        return self.path / "songclip.db"

    @property
    def images(self) -> Path:
        """Originals by SHA-256, previews and thumbnails beside."""
        return self.path / "images"

    @property
    def weights(self) -> Path:
        """Chinese-CLIP checkpoints."""
        return self.path / "pretrained_weights"

    @property
    def datasets(self) -> Path:
        """Built datasets, a folder each."""
        return self.path / "datasets"

    @property
    def experiments(self) -> Path:
        """Training runs, a folder each."""
        return self.path / "experiments"

    @property
    def features(self) -> Path:
        """Embeddings by model fingerprint."""
        return self.path / "features"

    @property
    def logs(self) -> Path:
        """The application's and each job's log."""
        return self.path / "logs"

    @property
    def locks(self) -> Path:
        """Locks that prove which processes live."""
        return self.path / "locks"

    def exists(self) -> bool:
        """Whether a project stands here already."""
        return self.database.is_file()

    def open(self) -> Database:
        """A connection to the database, its folder made and its schema brought up to date first.

        Raises StorageError when the folder cannot be written to, the file is no database, or a newer version
        of the workbench wrote it.
        """
        try:
            for folder in (
                self.images,
                self.weights,
                self.datasets,
                self.experiments,
                self.features,
                self.logs,
            ):
                folder.mkdir(parents=True, exist_ok=True)
            self.locks.mkdir(exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise PermissionError(self.path)
        except OSError as error:
            raise StorageError("home_not_writable", path=self.path) from error
        try:
            # One opener at a time: SQLite refuses, without waiting, to switch a file to WAL that another looks into.
            with FileLock(self.locks / "open.lock", poll_interval=0.01):
                db = connect(self.database)
                try:
                    self._migrate(db)
                except BaseException:
                    db.conn.close()
                    raise
        except sqlite3.OperationalError as error:
            raise refusal(error, self.path) or StorageError("home_not_writable", path=self.path) from error
        except sqlite3.DatabaseError as error:
            raise StorageError("database_damaged", path=self.database) from error
        return db

    def _migrate(self, db: Database) -> None:
        known = {migration.name for migration in migrations._migrations}
        applied = {migration.name for migration in migrations.applied(db)}
        if applied - known:
            raise StorageError("database_newer", path=self.database)
        pending = migrations.pending(db)
        if pending and applied:
            backup(db, self.path / f"songclip.before-{pending[0].name}.db")
        if pending:
            migrations.apply(db)

    def marker(self, db: Database) -> str:
        """``person``, ``demo``, or empty for a home that nobody has put anything into."""
        row = db.execute("SELECT value FROM home WHERE key = 'kind'").fetchone()
        return str(row[0]) if row else ""

    def begun(self) -> bool:
        """Whether somebody's project stands here, or the demo's: a command that looked for one leaves an empty home.

        A database that cannot be opened is somebody's; whoever opens it is told what is wrong.
        """
        if not self.exists():
            return False
        try:
            db = self.open()
        except StorageError:
            return True
        try:
            return bool(self.marker(db))
        finally:
            db.conn.close()

    def mark(self, db: Database, kind: str) -> None:
        """Say for ever whose home this is; raises StorageError when it is the other kind already."""
        with transaction(db):
            current = self.marker(db)
            if current and current != kind:
                raise StorageError("home_of_other_kind", path=self.path)
            db.execute("INSERT OR IGNORE INTO home (key, value) VALUES ('kind', ?)", [kind])
            db.execute("INSERT OR IGNORE INTO home (key, value) VALUES ('created_at', ?)", [now()])

    def doubtful_place(self) -> bool:
        """Whether the home seems to lie in a synced or network folder, where SQLite's WAL is not safe."""
        resolved = self.path.resolve()
        text = str(resolved).lower()
        if text.startswith("\\\\") or any(name in part.lower() for part in resolved.parts for name in _SYNCED):
            return True
        mounts = Path("/proc/mounts")
        if not mounts.is_file():
            return False
        best = ("", "")
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            _, point, kind, *_ = line.split(" ")
            if resolved.is_relative_to(point) and len(point) > len(best[0]):
                best = (point, kind)
        return best[1] in _NETWORK_FILE_SYSTEMS


def backup(db: Database, target: Path) -> None:
    """A consistent copy of the whole database at ``target``, replaced only when it is complete."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    copy = sqlite3.connect(partial)
    try:
        db.conn.backup(copy)
    finally:
        copy.close()
    partial.replace(target)


def check(db: Database) -> list[str]:
    """What SQLite itself finds wrong: empty when the file is sound and every reference has its target."""
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
        broken = db.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:  # damaged where SQLite itself has to read
        return [str(error)]
    return found + [f"{table}: row {rowid} has no {parent}" for table, rowid, parent, _ in broken]
