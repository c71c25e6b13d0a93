"""What the system refuses while something is read or written, as an error with a sentence."""

import errno
import sqlite3
from pathlib import Path

from core.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_BY_CODE = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_BUSY: "database_busy",
    sqlite3.SQLITE_LOCKED: "database_busy",
    sqlite3.SQLITE_READONLY: "home_not_writable",
    sqlite3.SQLITE_CANTOPEN: "home_not_writable",
    sqlite3.SQLITE_CORRUPT: "database_damaged",
    sqlite3.SQLITE_NOTADB: "database_damaged",
}


def refusal(error: BaseException, home: Path) -> StorageError | None:
    """The full disk, missing right, busy or damaged database behind an error; None when it is something else."""
    if isinstance(error, sqlite3.Error):
        # The lower byte is the kind, the rest of SQLite's code tells variants apart.
        code = _BY_CODE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
        path = home / "songclip.db" if code == "database_damaged" else home
        return StorageError(code, path=path) if code else None
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageError("disk_full", path=error.filename or home)
    if isinstance(error, OSError) and error.errno in _DENIED:
        return StorageError("access_refused", file=error.filename or home)
    return None
