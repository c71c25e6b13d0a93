"""Writing weight files so that a crash never leaves half of one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from core.errors import StorageError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block ends well, and vanishes when
    not.

    Raises :class:`core.errors.StorageError` (``file_not_written``) when the disk refuses; what stood at
    ``path`` stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError("file_not_written", file=path.name, reason=error.strerror or str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
