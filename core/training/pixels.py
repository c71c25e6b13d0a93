"""Pictures decoded once, kept as the model takes them: in memory when small, else in a file that is mapped.

An epoch then costs no decoding, and a collection larger than the memory can be trained on.
"""

import gc
import mmap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.model.files import replacing
from core.progress import Progress, Silent, stop_if_asked

IN_MEMORY = 1024**3
"""Bytes up to which pictures stay in memory: about 7,000 of 224 pixels."""

Decode = Callable[[int], NDArray[np.uint8]]
"""Gives picture i, uint8 [3, side, side]."""


class PixelStore:
    """``pixels`` uint8 [n, 3, side, side], read-only when they lie in a ``file``.

    Used with ``with``, or closed by hand. An array in use keeps its file open, on Windows also from being removed.
    """

    def __init__(self, pixels: NDArray[np.uint8], file: Path | None = None, mapped: mmap.mmap | None = None) -> None:
        self.pixels, self.file, self._mapped = pixels, file, mapped

    def close(self, *, remove: bool = False) -> None:
        """Let go of the pixels, and ``remove`` their file where nobody else reads it."""
        self.pixels = np.empty((0, *self.pixels.shape[1:]), np.uint8)
        gc.collect()
        if self._mapped is not None:
            with suppress(BufferError):  # somebody still holds the array; the file closes when they let go
                self._mapped.close()
        if remove and self.file is not None:
            with suppress(PermissionError):  # Windows, as above
                self.file.unlink(missing_ok=True)

    def __enter__(self) -> "PixelStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decoded_once(
    count: int,
    side: int,
    decode: Decode,
    *,
    file: Path,
    in_memory: int = IN_MEMORY,
    progress: Progress | None = None,
) -> PixelStore:
    """Decode ``count`` pictures, each once.

    Beyond ``in_memory`` bytes they are written to ``file`` (a ``.npy``), which appears only when it is whole; one
    that is there is used as it is and nothing is decoded, so its name must say what it holds. Raises
    :class:`StorageError` (``file_not_written``); :class:`InputError` (``pixels_misfit``) for a file of another
    shape; :class:`core.errors.Stopped`.
    """
    shape = (count, 3, side, side)
    rows = _rows(count, decode, progress or Silent())
    if 3 * count * side * side <= in_memory:
        pixels = np.empty(shape, np.uint8)
        for row, picture in enumerate(rows):
            pixels[row] = picture
        return PixelStore(pixels)
    if not file.is_file():
        # written and not mapped: a full disk raises an error here, where a map would end the process
        with replacing(file) as temporary, temporary.open("wb") as out:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(out, header)
            for picture in rows:
                out.write(picture.tobytes())
    return _opened(file, shape)


def _rows(count: int, decode: Decode, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    for row in range(count):
        stop_if_asked(progress)
        yield decode(row)
        progress.report(row + 1, count, "progress.reading_pictures")


def _opened(file: Path, shape: tuple[int, ...]) -> PixelStore:
    try:
        with file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            found, _, dtype = read(stream)
            offset = stream.tell()
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if found != shape or dtype != np.uint8:
            raise InputError("pixels_misfit", file=file.name)
        # unlike np.memmap, closing the map while an array looks at it is refused instead of crashing the process
        pixels = np.frombuffer(mapped, np.uint8, offset=offset).reshape(shape)
    except ValueError as error:
        raise InputError("pixels_misfit", file=file.name) from error
    return PixelStore(pixels, file, mapped)
