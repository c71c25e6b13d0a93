"""Where the released weights lie: the two hubs that cn_clip itself downloads from, and what they say of a file.

Hugging Face answers a HEAD of the file's address with the SHA-256 in ``X-Linked-ETag`` and the size in
``X-Linked-Size`` before it redirects to where the bytes are; ModelScope lists both for every file of a repository.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from core.errors import ModelError
from core.model.spec import RELEASED, Release

if TYPE_CHECKING:
    import httpx2

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REDIRECTS = 10
PLAIN = {"Accept-Encoding": "identity"}
"""Sizes and ranges mean the file's own bytes only when nothing on the way packs them."""


@dataclass(frozen=True)
class Hub:
    """A public hub; ``variable`` may hold the address of a mirror of it."""

    title: str
    endpoint: str
    organisation: str
    variable: str = ""

    @property
    def address(self) -> str:
        """Its address, or that of the mirror named in the environment."""
        return (os.environ.get(self.variable) or self.endpoint).rstrip("/")


HUBS: Mapping[str, Hub] = MappingProxyType(
    {
        "huggingface": Hub("Hugging Face", "https://huggingface.co", "OFA-Sys", "HF_ENDPOINT"),
        "modelscope": Hub("ModelScope", "https://www.modelscope.cn", "AI-ModelScope"),
    }
)


@dataclass(frozen=True)
class RemoteFile:
    """A file on a hub: its address, its size in bytes and its SHA-256 (None and empty where the hub says nothing)."""

    url: str
    size: int | None
    sha256: str


def title(source: str) -> str:
    """What a hub is called; :class:`ModelError` ``download_source`` for a name that is none of ours."""
    if source not in HUBS:
        raise ModelError("download_source", source=source, known=", ".join(HUBS))
    return HUBS[source].title


def released(model: str) -> Release:
    """The released model of that name; :class:`ModelError` ``download_unknown`` for any other."""
    if model not in RELEASED:
        raise ModelError("download_unknown", model=model, known=", ".join(RELEASED))
    return RELEASED[model]


def find(client: "httpx2.Client", model: str, source: str, endpoint: str = "") -> RemoteFile:
    """Ask a hub for the weight file of a released model.

    Raises :class:`ModelError` ``download_unknown`` or ``download_refused`` (with the status); ``httpx2``'s own errors
    when the hub cannot be reached.
    """
    release = released(model)
    hub = HUBS[source]
    base = endpoint.rstrip("/") or hub.address
    repository = f"{hub.organisation}/{release.repository}"
    if source == "huggingface":
        return _on_hugging_face(client, f"{base}/{repository}/resolve/main/{release.file}", hub)
    return _on_modelscope(client, f"{base}/api/v1/models/{repository}/repo", release, hub)


def _on_hugging_face(client: "httpx2.Client", url: str, hub: Hub) -> RemoteFile:
    at = url
    for _ in range(_REDIRECTS):
        response = client.head(at, headers=PLAIN)
        linked = response.headers.get("X-Linked-ETag")
        if linked or not response.has_redirect_location:
            break
        at = str(response.url.join(response.headers["Location"]))
    else:
        raise ModelError("download_refused", source=hub.title, status=response.status_code)
    if response.is_error:
        raise ModelError("download_refused", source=hub.title, status=response.status_code)
    tag = str(linked or response.headers.get("ETag", "")).removeprefix("W/").strip('"').lower()
    size = response.headers.get("X-Linked-Size")
    if size is None and response.is_success:
        size = response.headers.get("Content-Length")
    return RemoteFile(url, _number(size), tag if _SHA256.fullmatch(tag) else "")


def _on_modelscope(client: "httpx2.Client", url: str, release: Release, hub: Hub) -> RemoteFile:
    response = client.get(f"{url}/files", params={"Revision": "master", "Recursive": "True"}, follow_redirects=True)
    if response.is_error:
        raise ModelError("download_refused", source=hub.title, status=response.status_code)
    entry = _listed(response, release.file)
    if entry is None:
        raise ModelError("download_refused", source=hub.title, status=404)
    sha256 = str(entry.get("Sha256") or "").lower()
    return RemoteFile(
        f"{url}?Revision=master&FilePath={quote(release.file)}",
        _number(entry.get("Size")),
        sha256 if _SHA256.fullmatch(sha256) else "",
    )


def _listed(response: "httpx2.Response", file: str) -> Mapping[str, Any] | None:
    try:
        return next(entry for entry in response.json()["Data"]["Files"] if entry["Path"] == file)
    except (ValueError, KeyError, TypeError, StopIteration):
        return None


def _number(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None
