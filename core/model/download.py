"""Download released weights: progress, resume, checksum, and one file that is whole or not there.

Own code over httpx2 and not ``huggingface_hub`` (which serves cn_clip): as of its version 2 that library throws a
broken download away, compares the size but no checksum, cannot be asked to stop and knows only one of the two hubs;
ModelScope's would be one more dependency.
"""

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from core.errors import ConflictError, ModelError, StorageError
from core.model.hubs import HUBS, PLAIN, RemoteFile, find, released, title
from core.progress import Progress, Silent, stop_if_asked

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

MB = 1_000_000
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts that bring nothing; whatever arrives gives all of them back."""
TIMEOUT = 30.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that a busy server answers with, and not for long."""


@dataclass(frozen=True)
class Download:
    """The weight file of a model and its size in bytes.

    ``fetched`` is False when it was there already. ``sha256`` is the checksum that the hub announced and the file has;
    empty when nothing was fetched, or the hub announced none and the file was opened and read instead.
    """

    model: str
    path: Path
    size: int
    fetched: bool
    sha256: str = ""


def download_weights(
    model: str,
    weights_dir: Path,
    source: str = "huggingface",
    *,
    endpoint: str = "",
    progress: Progress | None = None,
    waits: Sequence[float] = WAITS,
) -> Download:
    """Put the weight file of a released model into ``weights_dir``, unless it is there.

    What arrived of a broken or stopped download stays beside it as a ``.partial`` file and is gone on with, from either
    hub, as long as the checksum announced is the same. ``progress`` counts megabytes.

    Raises :class:`ModelError` ``download_unknown``, ``download_source``, ``download_unreachable``,
    ``download_refused``, ``download_broken`` or ``download_damaged``; :class:`StorageError` ``download_space`` or
    ``download_disk``; :class:`ConflictError` ``download_running``; :class:`core.errors.Stopped`.
    """
    target = weights_dir / released(model).file
    if target.is_file():
        return Download(model, target, target.stat().st_size, fetched=False)
    work = _Work(model, target, source, progress or Silent(), waits)
    try:
        weights_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(weights_dir / f".{target.name}.lock", timeout=0):
            return work.go(endpoint)
    except Timeout as error:
        raise ConflictError("download_running", file=target.name) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError("download_disk", file=target.name, folder=work.folder, reason=reason) from error


class _Work:
    """One download's moving parts."""

    def __init__(self, model: str, target: Path, source: str, progress: Progress, waits: Sequence[float]) -> None:
        self.model, self.target, self.source, self.progress, self.waits = model, target, source, progress, waits
        self.title = title(source)
        self.folder = str(target.parent.absolute())
        self.partial = target.with_name(f"{target.name}.partial")

    def go(self, endpoint: str) -> Download:
        import httpx2

        try:
            client = httpx2.Client(timeout=TIMEOUT)
        except (ImportError, ValueError, httpx2.InvalidURL) as error:  # a proxy in the environment that is none
            raise self._unreachable(error) from error
        with client:
            remote = self._find(client, endpoint)
            if remote.sha256:
                self.partial = self.target.with_name(f"{self.target.name}.{remote.sha256[:12]}.partial")
            else:  # nothing says that what may lie there belongs to the same file
                self.partial.unlink(missing_ok=True)
            self._check_space(remote)
            self._fetch(client, remote)
        self._verify(remote)
        return self._keep(remote)

    def _find(self, client: "httpx2.Client", endpoint: str) -> RemoteFile:
        import httpx2

        waits = list(self.waits[:2])
        while True:
            try:
                return find(client, self.model, self.source, endpoint)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if not waits or not isinstance(error, httpx2.TimeoutException | httpx2.RemoteProtocolError):
                    raise self._unreachable(error) from error
            except ModelError as error:
                if not waits or error.details.get("status") not in _PASSING:
                    raise
            self._pause(waits.pop(0))

    def _unreachable(self, error: Exception) -> ModelError:
        log.warning("%s cannot be reached: %r", self.title, error)
        other = next(name for name in HUBS if name != self.source)
        details = {"file": self.target.name, "folder": self.folder, "model": self.model, "other": other}
        return ModelError("download_unreachable", source=self.title, **details)

    def _check_space(self, remote: RemoteFile) -> None:
        needed = (remote.size or 0) - self._have()
        free = shutil.disk_usage(self.target.parent).free
        if needed > free:
            details = {"file": self.target.name, "folder": self.folder}
            raise StorageError("download_space", needed=_mb(needed), free=_mb(free), **details)

    def _fetch(self, client: "httpx2.Client", remote: RemoteFile) -> None:
        import httpx2

        waits = list(self.waits)
        while remote.size is None or self._have() < remote.size:
            before = self._have()
            try:
                self._receive(client, remote)
                if remote.size is None:
                    return
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                status = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else 0
                if status and status not in _PASSING:
                    raise ModelError("download_refused", source=self.title, status=status) from error
                log.warning("Download of %s broke off at byte %d: %r", self.target.name, self._have(), error)
                if self._have() > before:
                    waits = list(self.waits)
                if not waits:
                    details = {"file": self.target.name, "kept": _mb(self._have()), "model": self.model}
                    raise ModelError("download_broken", source=self.title, **details) from error
                self._pause(waits.pop(0))

    def _receive(self, client: "httpx2.Client", remote: RemoteFile) -> None:
        """One answer of the hub, added to what is there, or in its place where the hub sends all of it again."""
        import httpx2

        have = self._have()
        headers = {**PLAIN, "Range": f"bytes={have}-"} if have else PLAIN
        with client.stream("GET", remote.url, headers=headers, follow_redirects=True) as response:
            if response.status_code == 416:  # the hub's file ends before ours does
                raise self._damaged()
            response.raise_for_status()
            goes_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            )
            done = have if goes_on else 0
            with self.partial.open("ab" if goes_on else "wb") as file:
                for chunk in response.iter_raw():
                    file.write(chunk)
                    done += len(chunk)
                    total = _mb(max(done, remote.size or 0))
                    self.progress.report(_mb(done), total, "progress.download", file=self.target.name)
                    stop_if_asked(self.progress)
                    if remote.size is not None and done > remote.size:
                        return  # a file of another size: it will not pass the check
        if remote.size is not None and done < remote.size:
            raise httpx2.RemoteProtocolError("ended early")

    def _verify(self, remote: RemoteFile) -> None:
        """Raise when what came is not what was announced; nothing of it is kept then."""
        good = remote.size is None or self._have() == remote.size
        if good and remote.sha256:
            with self.partial.open("rb") as file:
                good = hashlib.file_digest(file, "sha256").hexdigest() == remote.sha256
        elif good:
            good = _is_model(self.partial)
        if not good:
            raise self._damaged()

    def _damaged(self) -> ModelError:
        self.partial.unlink(missing_ok=True)
        return ModelError("download_damaged", source=self.title, file=self.target.name)

    def _keep(self, remote: RemoteFile) -> Download:
        with self.partial.open("rb+") as file:
            os.fsync(file.fileno())
        self.partial.replace(self.target)
        for other in self.target.parent.glob(f"{self.target.name}.*partial"):
            other.unlink(missing_ok=True)
        log.info("Downloaded %s from %s (%s)", self.target.name, self.title, remote.sha256 or "no checksum")
        return Download(self.model, self.target, self.target.stat().st_size, True, remote.sha256)

    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            stop_if_asked(self.progress)
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))


def _is_model(path: Path) -> bool:
    from core.model.weights import read_state

    try:
        read_state(path)
    except ModelError:
        return False
    return True


def _mb(size: int) -> int:
    return -(-size // MB)
