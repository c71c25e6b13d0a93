"""The page that goes with a dataset: what it holds, what was left out and why, the hash it is cited by."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError, NotFoundError

FILE = "manifest.json"
_NAME = re.compile(r"[^\W_][\w.-]{0,59}")
# Names that Windows keeps for devices, with or without an ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Excluded:
    """Something that is not in the dataset, and the catalogue key of the reason (``excluded.…``)."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` holds: ``hash`` of the logical records, ``files`` with the SHA-256 of each.

    ``files``: by POSIX path relative to the folder; earlier manifests do not name the files of LMDB.
    ``splits``: by name the numbers of ``images``, ``texts``, ``pairs`` and, where there are any, ``refused`` pairs.
    ``captions``: as counted by :class:`core.dataset.captions.CaptionCount`. ``settings``: how it was made (fractions,
    side, kinds …). ``warning``: why it was not split, if it was not. ``made_from``: by passage id the revision of its
    annotation that was used; no part of the hash.
    """

    name: str
    hash: str
    splits: dict[str, dict[str, int]]
    files: dict[str, str]
    excluded: tuple[Excluded, ...] = ()
    captions: dict[str, dict[str, int]] = field(default_factory=dict)
    seed: int = 0
    statuses: tuple[str, ...] = ("approved",)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    warning: str = ""
    generated: bool = False
    made_from: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of manifest.json; :meth:`from_json` gives the manifest back."""
        return {"format": 1, **asdict(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Manifest":
        """Read what :meth:`to_json` gave; fields of a newer version are passed over."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["excluded"] = tuple(Excluded(item["what"], item["why"]) for item in known.get("excluded", ()))
        known["statuses"] = tuple(known.get("statuses", ()))
        if not isinstance(known["files"], dict) or not isinstance(known["splits"], dict):
            raise TypeError("files, splits")
        return cls(**known)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder; raises NotFoundError ``dataset_missing``, InputError ``dataset_damaged``."""
    try:
        return Manifest.from_json(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise NotFoundError("dataset_missing", name=folder.name) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("dataset_damaged", name=folder.name, where=FILE) from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as :attr:`Manifest.files` has it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """The files of a dataset, as its manifest names them, that are missing or no longer what was written.

    Reads each file once. Files the manifest does not name are passed over.
    """
    return tuple(
        name
        for name, sha256 in sorted(manifest.files.items())
        if not (folder / name).is_file() or file_hash(folder / name) != sha256
    )


def check_name(name: str) -> str:
    """The name of a dataset, safe as a folder on every system; raises InputError ``dataset_name``.

    Letters of any script, digits, ``-``, ``_`` and ``.``, at most 60, beginning with a letter or digit.
    """
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name) or name.endswith("."):
        raise InputError("dataset_name", name=name[:60])
    return name


def logical_hash(
    images: Iterable[tuple[str, int, str]], texts: Iterable[tuple[str, str, str, Sequence[int], Sequence[int]]]
) -> str:
    """SHA-256 over what a dataset says, whatever its ids, the order of its rows and the bytes of its files.

    ``images``: (split, id, SHA-256 of the original); ``texts``: (split, kind, text, image ids, refused image ids).
    Records become JSON lines in which a picture is its SHA-256; the lines are sorted and hashed. Without refused
    pictures a text's line is what it was before there were any.
    """
    named: dict[tuple[str, int], str] = {}
    lines: list[str] = []
    for split, image_id, sha256 in images:
        named[split, image_id] = sha256
        lines.append(json.dumps(["image", split, sha256]))
    for split, kind, text, *linked in texts:
        pictures, refused = (sorted(named[split, image_id] for image_id in ids) for ids in linked)
        lines.append(json.dumps(["text", split, kind, text, pictures, *([refused] if refused else [])]))
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
