"""Pictures on disk by the SHA-256 of their content: originals byte for byte, small forms beside them."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from core.errors import NotFoundError
from core.imaging.normalise import renditions
from core.imaging.picture import EXTENSIONS, Picture

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ImageStore:
    """A folder of pictures: ``ab/abcd….jpg``, ``ab/abcd….preview.jpg``, ``ab/abcd….thumb.jpg``.

    Only hashes and known extensions become names, so nothing a person typed is ever a path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def put(self, picture: Picture) -> Path:
        """Store a picture and its two small forms, and return the original's path; twice is as good as once.

        The original is written last: where it stands, everything stands.
        """
        original = self.original(picture.sha256, picture.extension)
        small = (self._beside(picture.sha256, "preview"), self._beside(picture.sha256, "thumb"))
        if not all(path.exists() for path in small):
            for path, data in zip(small, renditions(picture.data), strict=True):
                write_atomically(path, data)
        if not original.exists() or original.stat().st_size != len(picture.data):
            write_atomically(original, picture.data)
        return original

    def original(self, sha256: str, extension: str) -> Path:
        """Where the original stands (or would)."""
        if extension not in EXTENSIONS.values():
            raise ValueError(f"not an extension of the store: {extension!r}")
        return self._named(sha256, extension)

    def thumbnail(self, sha256: str) -> Path:
        """The thumbnail (320 px, JPEG), made again if lost; raises NotFoundError ``picture_missing``."""
        return self._small(sha256, "thumb")

    def preview(self, sha256: str) -> Path:
        """The preview (1280 px, JPEG), made again if lost; raises NotFoundError ``picture_missing``."""
        return self._small(sha256, "preview")

    def read(self, sha256: str) -> bytes:
        """The original's bytes; raises NotFoundError ``picture_missing``."""
        return self._find(sha256).read_bytes()

    def intact(self, sha256: str) -> bool:
        """Whether the original is there and still has the content that its name says."""
        try:
            return hashlib.sha256(self.read(sha256)).hexdigest() == sha256
        except NotFoundError:
            return False

    def _find(self, sha256: str) -> Path:
        for extension in EXTENSIONS.values():
            path = self._named(sha256, extension)
            if path.exists():
                return path
        raise NotFoundError("picture_missing", sha256=sha256[:12])

    def _small(self, sha256: str, kind: str) -> Path:
        path = self._beside(sha256, kind)
        if not path.exists():
            both = renditions(self.read(sha256))
            write_atomically(self._beside(sha256, "preview"), both[0])
            write_atomically(self._beside(sha256, "thumb"), both[1])
        return path

    def _beside(self, sha256: str, kind: str) -> Path:
        return self._named(sha256, f"{kind}.jpg")

    def _named(self, sha256: str, ending: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256 in lower-case hex")
        return self.folder / sha256[:2] / f"{sha256}.{ending}"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for one person only; a shared department home needs the folder's usual rights.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
