"""Loading a base model or the model of a run, once for each process and file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.errors import InputError, ModelError, NotFoundError
from core.progress import Progress
from db.experiments import Runs
from db.home import Home

if TYPE_CHECKING:
    from core.model.blend import Line
    from core.model.loading import LoadedModel

ADAPTER = "adapter.safetensors"
FULL = "model.safetensors"

_lock = Lock()
_kept: "dict[tuple[str, str, str, float, float], _Kept]" = {}


def base_name(home: Home, model: str) -> str:
    """The base model that a name means; without one the largest released model that is present, else mini.

    A file is named by its whole path, because a run is read again from anywhere.
    """
    from core.model.loading import default_model
    from core.model.spec import MINI, RELEASED

    if not model:
        return default_model(home.weights)
    file = Path(model).expanduser()
    return str(file.absolute()) if model not in (MINI, *RELEASED) and file.is_file() else model


def check_base(home: Home, model: str, device: str = "") -> None:
    """Raise ModelError for a base model or a device that is not there, before anything is recorded."""
    from core.model.device import checked_device
    from core.model.loading import load_model

    checked_device(device or "auto")
    name = base_name(home, model)
    if name not in model_names(home) and not Path(name).is_file():
        load_model(name, home.weights)  # finds nothing to load, and says what is missing and where


def model_names(home: Home) -> list[str]:
    """The base models that can be used here: mini, and the released ones whose weights are present."""
    from core.model.loading import weights_present
    from core.model.spec import MINI

    return [MINI, *(file.model for file in weights_present(home.weights))]


def weights(home: Home) -> list[dict[str, Any]]:
    """Every base model there is, mini first: its file, whether it is here, and its size in bytes where it is."""
    from core.model.spec import LARGEST_FIRST, MINI, MINI_FOLDER, MINI_WEIGHTS, RELEASED

    files = [(MINI, MINI_FOLDER / MINI_WEIGHTS)]
    files += [(name, home.weights / RELEASED[name].file) for name in reversed(LARGEST_FIRST)]
    return [
        {
            "model": name,
            "file": path.name,
            "folder": str(path.parent),
            "path": str(path),
            "present": path.is_file(),
            "size": path.stat().st_size if path.is_file() else None,
        }
        for name, path in files
    ]


def download(home: Home, model: str, source: str, progress: Progress) -> dict[str, Any]:
    """Fetch the weights of a released model into the home; raises as :func:`core.model.download.download_weights`."""
    from core.model.download import download_weights

    got = download_weights(model, home.weights, source, progress=progress)
    return {
        "model": got.model,
        "path": str(got.path),
        "size": got.size,
        "fetched": got.fetched,
        "source": source if got.fetched else None,
        "sha256": got.sha256 or None,
    }


def load(
    home: Home, db: Database, *, model: str = "", run: str = "", device: str = "auto", strength: float = 1.0
) -> "LoadedModel":
    """The model of a run at a ``strength`` from 0 (its base) to 1 (as tuned), or a base model.

    Raises NotFoundError for a run that is unknown or has no model yet, InputError ``strength_range``, or
    ``strength_nothing`` for a strength without a run, ModelError as :func:`core.model.loading.load_model`, or
    ``adapter_wrong_base`` where the base is needed and is no longer the one the run began with.
    """
    from core.model.blend import blended
    from core.model.loading import load_model
    from core.model.lora import set_strength

    check_strength(strength, run)
    if not run:
        return load_model(base_name(home, model), home.weights, device)
    if strength in (0, 1) and Runs(db).get(run).method == "full":
        return _full(home, db, run, device, tuned=strength == 1)
    loaded, between = load_with_line(home, db, run, device)
    if between is not None:
        return blended(loaded, between, strength)
    set_strength(loaded.clip, strength)
    return loaded


def check_strength(strength: float, run: str) -> None:
    """Raise InputError for a strength that is none, or that is asked of a base model."""
    if not 0 <= strength <= 1:
        raise InputError("strength_range", value=strength)
    if strength != 1 and not run:
        raise InputError("strength_nothing")


def load_with_line(home: Home, db: Database, run: str, device: str = "auto") -> "tuple[LoadedModel, Line | None]":
    """The model of a run as tuned and, where all its weights were tuned, the line to it from its base.

    Raises as :func:`load`.
    """
    from core.model.adapters import load_adapter
    from core.model.blend import line
    from core.model.loading import load_model

    record = Runs(db).get(run)
    if record.method == "full":
        tuned = _full(home, db, run, device, tuned=True)
        return tuned, line(_full(home, db, run, "cpu", tuned=False), tuned)
    adapter = home.experiments / run / ADAPTER
    if not adapter.is_file():
        raise NotFoundError("run_unfinished", name=run)
    return load_adapter(adapter, load_model(record.model, home.weights, device)), None


def _full(home: Home, db: Database, run: str, device: str, *, tuned: bool) -> "LoadedModel":
    """A fully tuned run's model, or the base it began with; other weights in the base's place are refused."""
    from core.model.loading import load_model
    from core.model.weights import tuned_from

    file = home.experiments / run / FULL
    if not file.is_file():
        raise NotFoundError("run_unfinished", name=run)
    if tuned:
        return load_model(str(file), home.weights, device)
    name = Runs(db).get(run).model
    base, began_with = load_model(name, home.weights, device), tuned_from(file)
    if began_with not in ("", base.fingerprint):  # runs of an earlier version do not say it
        raise ModelError("adapter_wrong_base", file=FULL, wanted=name, given=base.spec.name)
    return base


@dataclass(frozen=True)
class _Kept:
    model: "LoadedModel"
    lock: RLock = field(default_factory=RLock)


@contextmanager
def load_for_search(
    home: Home, db: Database, *, model: str = "", run: str = "", strength: float = 1.0
) -> "Iterator[LoadedModel]":
    """Like :func:`load`, but kept in this process: the next search with the same model begins at once.

    An adapter is kept once and its strength set for each search; nobody else searches with it meanwhile, since
    features made at one strength must not be kept under the name of another.
    """
    from core.model.lora import adapters, set_strength

    check_strength(strength, run)
    name = "" if run else base_name(home, model)
    file = _file_of(home, name, run)
    # fully tuned weights are mixed when they are loaded: each strength is a model of its own
    mixed = strength if file.name == FULL else 1.0
    key = (str(home.path), name, run, file.stat().st_mtime if file.is_file() else 0.0, mixed)
    with _lock:
        if key not in _kept:
            loaded = load(home, db, model=name, run=run, strength=mixed)
            if len(_kept) >= 2:  # a laptop holds two models at most
                _kept.pop(next(iter(_kept)))
            _kept[key] = _Kept(loaded)
        kept = _kept[key]
    with kept.lock:
        if any(True for _ in adapters(kept.model.clip)):
            set_strength(kept.model.clip, strength)
        yield kept.model


def picture_key(model: "LoadedModel") -> str:
    """What names the features of pictures: the base's own where the adapter leaves the vision tower alone."""
    from core.model.lora import adapters

    tuned = any(name.startswith("visual.") for name, _ in adapters(model.clip))
    return model.key if tuned else model.fingerprint


def _file_of(home: Home, name: str, run: str) -> Path:
    if run:
        adapter = home.experiments / run / ADAPTER
        return adapter if adapter.is_file() else home.experiments / run / FULL
    return Path(name)


def finished_runs(home: Home, db: Database) -> list[str]:
    """The runs that have a model, newest first."""
    return [
        run.name
        for run in Runs(db).all()
        if any((home.experiments / run.name / name).is_file() for name in (ADAPTER, FULL))
    ]
