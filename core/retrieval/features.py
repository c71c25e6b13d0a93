"""Embeddings kept on disk by the model that made them, so that only new pictures are encoded."""

import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.retrieval.index import VectorIndex

Id = TypeVar("Id", bound=int | str)

_FINGERPRINT = re.compile(r"[A-Za-z0-9._-]{1,100}")


class FeatureStore:
    """A folder of ``FINGERPRINT.npz`` files (arrays ``ids`` and ``vectors``); all can be made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def load(self, fingerprint: str) -> VectorIndex[Any] | None:
        """The index of a model, or None where there is no file or none that reads (it is made again)."""
        try:
            with np.load(self._path(fingerprint), allow_pickle=False) as file:
                return VectorIndex(file["vectors"], file["ids"].tolist())
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError):
            return None

    def save(self, fingerprint: str, index: VectorIndex[Any]) -> Path:
        """Write an index; a reader meets the old file or the whole new one."""
        path = self._path(fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, ids=np.array(index.ids), vectors=index.vectors)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    def refresh(
        self, fingerprint: str, wanted: Sequence[Id], encode: Callable[[list[Id]], NDArray[np.floating]]
    ) -> VectorIndex[Id]:
        """The index of exactly ``wanted``, in that order: the missing are encoded, the gone leave the file.

        ``encode`` gets the missing ids and gives their vectors [m, d]; it is not called when none is missing.
        """
        stored = self.load(fingerprint)
        missing = list(wanted) if stored is None else stored.missing(wanted)
        if stored is None:
            index: VectorIndex[Id] = VectorIndex(encode(missing) if missing else np.zeros((0, 1)), missing)
        elif missing:
            index = stored.added(encode(missing), missing)
        else:
            index = stored
        index = index.restricted(wanted)
        if missing or stored is None or stored.ids != index.ids:
            self.save(fingerprint, index)
        return index

    def _path(self, fingerprint: str) -> Path:
        if not _FINGERPRINT.fullmatch(fingerprint) or fingerprint.startswith("."):
            raise ValueError(f"not a fingerprint: {fingerprint!r}")
        return self.folder / f"{fingerprint}.npz"
