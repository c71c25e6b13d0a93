"""What tuning won and what it hurt: recall along its strength, on the data it was tuned for and on untouched data."""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlite_utils import Database

from core.errors import InputError, SongclipError
from core.progress import Progress, stop_if_asked
from core.records import Run
from db.connection import now
from db.experiments import Datasets, Runs
from db.home import Home
from workbench.jobs.kinds import JobContext
from workbench.tasks.datasets import record_of
from workbench.tasks.evaluating import check_unseen, measurable
from workbench.tasks.lineage import lineage
from workbench.tasks.models import load_with_line
from workbench.tasks.overlap import shared
from workbench.tasks.splits import Encoded, read_encoded

if TYPE_CHECKING:
    from core.evaluation.report import Evaluation
    from core.model.loading import LoadedModel

FILE = "strength.json"
GENERAL = ""
"""The built-in untouched set: generated scenes with modern captions, of a part of the world that no demo has."""
GENERAL_SCENES = 300
GENERAL_SEED = 71828
SETS = ("tuned", "untouched")

log = logging.getLogger(__name__)


def split_for(db: Database, run: Run) -> str:
    """What a run is measured on of the data it was tuned for: test, else valid; never train.

    Raises InputError ``run_other_build`` when the dataset was built anew since, ``strength_no_held_out``.
    """
    if Datasets(db).get(run.dataset).hash != run.dataset_hash:
        raise InputError("run_other_build", run=run.name, dataset=run.dataset)
    held_out = [name for name in measurable(db, run.dataset) if name != "train"]
    if not held_out:
        raise InputError("strength_no_held_out", dataset=run.dataset)
    return held_out[0]


def untouched_datasets(home: Home, db: Database, run: Run) -> list[str]:
    """The other datasets that share nothing with those a run, and whatever it began with, was tuned on, by name."""
    others = [
        record.name for record in Datasets(db).all() if record.name != run.dataset and measurable(db, record.name)
    ]
    learned = lineage(db, run)
    return sorted(name for name in others if not _touched(home, db, learned, name))


def _touched(home: Home, db: Database, learned: Sequence[Run], dataset: str) -> bool:
    """Whether these runs learned from something in a dataset, or may have: from what is damaged or gone they may."""
    try:
        gone = any(record_of(home, db, each.dataset).hash != each.dataset_hash for each in learned)
        return gone or any(shared(home, db, each.dataset, dataset) for each in learned)
    except SongclipError as error:
        log.warning("%s is no untouched set for %s: %s", dataset, learned[0].name, error.code)
        return True


def general_set(model: "LoadedModel", progress: Progress) -> Encoded:
    """The built-in set as the model sees it: each scene's modern caption asks for its picture among all."""
    from core.demo.painter import paint
    from core.demo.worlds import benchmark_world

    world = benchmark_world(GENERAL_SCENES, GENERAL_SEED)
    side = model.spec.resolution
    pixels = np.empty((len(world), 3, side, side), dtype=np.uint8)
    for row, item in enumerate(world):
        stop_if_asked(progress)
        pixels[row] = model.preprocess(paint(item.scene))
        progress.report(row + 1, len(world), "progress.painting")
    rows = range(len(world))
    return Encoded(
        pixels=pixels,
        texts=[item.modern for item in world],
        text_images=[[row] for row in rows],
        kinds=["modern"] * len(world),
        passages=[row + 1 for row in rows],
        image_ids=[row + 1 for row in rows],
        refused=[[] for _ in rows],
    )


def _read(home: Home, dataset: str, splits: list[str], model: "LoadedModel", progress: Progress) -> Encoded:
    """Splits of a dataset as one gallery; no picture stands in two of them."""
    parts = [part for split in splits if (part := read_encoded(home.datasets / dataset, split, model, progress))]
    starts = np.cumsum([0, *(len(part.pixels) for part in parts)])
    placed = list(zip(parts, starts, strict=False))
    return Encoded(
        pixels=np.concatenate([part.pixels for part in parts]),
        texts=[text for part in parts for text in part.texts],
        text_images=[[int(start) + row for row in rows] for part, start in placed for rows in part.text_images],
        kinds=[kind for part in parts for kind in part.kinds],
        passages=[passage for part in parts for passage in part.passages],
        image_ids=[image_id for part in parts for image_id in part.image_ids],
        refused=[[int(start) + row for row in rows] for part, start in placed for rows in part.refused],
    )


def measure_along(home: Home, db: Database, run: str, untouched: str, progress: Progress) -> dict[str, Any]:
    """Recall of a run at each strength on what it was tuned for and on ``untouched``, a dataset or :data:`GENERAL`.

    An untouched dataset is measured whole: nothing of it was learned from. Where the sources' own words are among the
    captions, they alone ask (``asked``: ``original``, else ``all``). Stored in the run's folder, in place of an
    earlier measurement with the same untouched set. Raises InputError ``untouched_shared`` for a dataset that shares
    something with the tuning data, and as :func:`split_for` and :func:`workbench.tasks.models.load`.
    """
    from core.evaluation.interpolation import recall_along

    record = Runs(db).get(run)
    tuned_on = record_of(home, db, record.dataset)
    split = split_for(db, record)
    learned = lineage(db, record)
    for before in learned[1:]:
        check_unseen(home, db, before, tuned_on, split)
    if untouched and (untouched == record.dataset or _touched(home, db, learned, untouched)):
        raise InputError("untouched_shared", dataset=untouched, run=run)
    model, between = load_with_line(home, db, run)
    data = {"tuned": _read(home, record.dataset, [split], model, progress)}
    data["untouched"] = (
        _read(home, untouched, measurable(db, untouched), model, progress)
        if untouched
        else general_set(model, progress)
    )
    asked = {name: "original" if "original" in encoded.kinds else "all" for name, encoded in data.items()}
    data = {name: encoded.only(("original",)) if asked[name] != "all" else encoded for name, encoded in data.items()}

    def evaluate() -> "dict[str, Evaluation]":
        return {name: encoded.measured(*encoded.features(model)) for name, encoded in data.items()}

    rows = recall_along(evaluate, model.clip, between=between, progress=progress)
    measured = {
        "run": run,
        "model": record.model,
        "asked": asked["tuned"],
        "tuned": {"dataset": record.dataset, "hash": tuned_on.hash, "split": split},
        "untouched": {"dataset": untouched, "hash": record_of(home, db, untouched).hash if untouched else ""},
        "created_at": now(),
        "along": [
            {
                "strength": row.strength,
                **{name: _figures(rows[0].figures[name], row.figures[name], data[name]) for name in SETS},
            }
            for row in rows
        ],
    }
    _store(home, measured)
    return measured


def _figures(base: "Evaluation", found: "Evaluation", data: Encoded) -> dict[str, Any]:
    """Both ways in per cent, and under ``change`` what text→image gained on the base, query by query."""
    from core.evaluation.comparison import compare

    groups = [passage or -row for row, passage in enumerate(data.passages, 1)]
    change = compare(base.t2i_ranks, found.t2i_ranks, groups=groups)
    both_ways = {"t2i": found.t2i.to_json(), "i2t": found.i2t.to_json()}
    return {**both_ways, "change": {f"R@{k}": difference.to_json() for k, difference in change.items()}}


def _stored(home: Home, run: str) -> list[dict[str, Any]]:
    file = home.experiments / run / FILE
    if not file.is_file():
        return []
    try:
        measured = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return []  # damaged: as if nothing had been measured
    return [row for row in measured if _complete(row)] if isinstance(measured, list) else []


def _complete(row: Any) -> bool:
    """Whether a measurement holds all that is drawn of it, as numbers."""
    try:
        names = [row["run"], *(row[name][part] for name in SETS for part in ("dataset", "hash"))]
        numbers = [at["strength"] for at in row["along"]]
        for found in (at[name] for at in row["along"] for name in SETS):
            asked, change = found["t2i"], found["change"]
            for figure, gained in change.items():
                numbers += [asked[figure], *asked["ci"][figure][:2], asked["chance"][figure], asked["gallery"]]
                numbers += [gained["difference"], *gained["ci"][:2]]
    except (LookupError, TypeError, AttributeError):
        return False
    sound = all(isinstance(number, int | float) for number in numbers)
    return bool(row["along"]) and sound and all(isinstance(name, str) for name in names)


def _store(home: Home, measured: dict[str, Any]) -> None:
    from core.model.files import replacing

    name = measured["untouched"]["dataset"]
    kept = [row for row in _stored(home, measured["run"]) if row["untouched"]["dataset"] != name]
    with replacing(home.experiments / measured["run"] / FILE) as temporary:
        temporary.write_text(json.dumps([measured, *kept], ensure_ascii=False, indent=1), encoding="utf-8")


def measurements(home: Home, db: Database, run: str) -> dict[str, dict[str, Any]]:
    """What :func:`measure_along` stored of a run, by untouched set, newest first; only of datasets as they are now."""
    hashes = {record.name: record.hash for record in Datasets(db).all()} | {GENERAL: ""}
    return {
        row["untouched"]["dataset"]: row
        for row in _stored(home, run)
        if all(hashes.get(row[name]["dataset"]) == row[name]["hash"] for name in SETS)
    }


def suggested(measured: dict[str, Any], figure: str) -> float:
    """The strength at which the ``figure`` (``R@5``) of both sets together is highest; the stronger of equals."""
    sums = {row["strength"]: sum(row[name]["t2i"][figure] for name in SETS) for row in measured["along"]}
    return float(max(sums, key=lambda strength: (round(sums[strength], 6), strength)))


def strength_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: measure ``run`` along its strength, with the ``untouched`` dataset or the built-in set."""
    return measure_along(context.home, context.db, params["run"], params.get("untouched", GENERAL), context.progress)
