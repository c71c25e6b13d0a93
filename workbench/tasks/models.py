"""Loading a base model or the model of a run, once for each process and file."""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.errors import NotFoundError
from core.progress import Progress
from db.experiments import Runs
from db.home import Home

if TYPE_CHECKING:
    from core.model.loading import LoadedModel

ADAPTER = "adapter.safetensors"
FULL = "model.safetensors"

_lock = Lock()
_loaded: "dict[tuple[str, str, str, float], LoadedModel]" = {}


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


def load(home: Home, db: Database, *, model: str = "", run: str = "", device: str = "auto") -> "LoadedModel":
    """The model of a run, or a base model.

    Raises NotFoundError for a run that is unknown or has no model yet, ModelError as
    :func:`core.model.loading.load_model`.
    """
    from core.model.adapters import load_adapter
    from core.model.loading import load_model

    if not run:
        return load_model(base_name(home, model), home.weights, device)
    record = Runs(db).get(run)
    folder = home.experiments / run
    if record.method == "full":
        if not (folder / FULL).is_file():
            raise NotFoundError("run_unfinished", name=run)
        return load_model(str(folder / FULL), home.weights, device)
    if not (folder / ADAPTER).is_file():
        raise NotFoundError("run_unfinished", name=run)
    return load_adapter(folder / ADAPTER, load_model(record.model, home.weights, device))


def load_for_search(home: Home, db: Database, *, model: str = "", run: str = "") -> "LoadedModel":
    """Like :func:`load`, but kept in this process: the next search with the same model begins at once."""
    name = "" if run else base_name(home, model)
    file = _file_of(home, name, run)
    key = (str(home.path), name, run, file.stat().st_mtime if file.is_file() else 0.0)
    with _lock:
        if key not in _loaded:
            loaded = load(home, db, model=name, run=run)
            if len(_loaded) >= 2:  # a laptop holds two models at most
                _loaded.pop(next(iter(_loaded)))
            _loaded[key] = loaded
        return _loaded[key]


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
