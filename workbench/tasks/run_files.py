"""What a run writes into its folder while it works, and how it is read back: metrics, example queries, its log."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.model.files import replacing
from workbench.tasks.splits import Encoded

METRICS = "metrics.jsonl"
EXAMPLES = "examples.json"
LOG = "run.log"
EXAMPLES_SHOWN, TOP = 4, 5
_RECENT = 50
_STEP, _EPOCH = ("step", "epoch"), ("epoch",)
_ALWAYS = ("loss", "lr", "seconds")
_SOMETIMES = ("micro_batch", "images_per_second", "texts_per_second", "logit_scale")
_OR_NONE = ("memory", "gradient")
_RECALLS = ("R@1", "R@5", "R@10")
"""What the readers of a row take from it: a row without is as good as none."""

Row = dict[str, Any]


class MetricsLog:
    """Appends the rows of a run; a resumed run repeats the steps after its checkpoint, and each stands there once."""

    def __init__(self, file: Path, *, fresh: bool) -> None:
        if fresh:
            file.unlink(missing_ok=True)
        self._file, self._resumed = file, file.is_file()

    def step(self, row: Row) -> None:
        """Add what :func:`core.training.loop.train` says of a step."""
        self._write({"kind": "step", **row})

    def epoch(self, row: Row) -> None:
        """Add what it says of an epoch."""
        self._write({"kind": "epoch", **row})

    def complete(self, history: Iterable[Row]) -> None:
        """Add the epochs that a killed process had finished but not written."""
        rows = list(_rows(self._file))
        there = {row["epoch"] for row in rows if row["kind"] == "epoch"}
        missing = [{"kind": "epoch", **row} for row in history if row["epoch"] not in there]
        if missing:
            self._replace([*rows, *missing])

    def _write(self, row: Row) -> None:
        if self._resumed:
            self._resumed = False
            self._forget_from(row)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def _forget_from(self, first: Row) -> None:
        def before(row: Row) -> bool:
            if row["kind"] == "step" == first["kind"]:
                return bool(row["step"] < first["step"])
            if row["kind"] == "step":
                return bool(row["epoch"] <= first["epoch"])
            return bool(row["epoch"] < first["epoch"])

        self._replace([row for row in _rows(self._file) if before(row)])

    def _replace(self, rows: Iterable[Row]) -> None:
        with replacing(self._file) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _rows(file: Path) -> Iterator[Row]:
    """The rows that can be used: a line may be half written at this moment, or damaged on the disk."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and _usable(row):
            yield row


def _usable(row: Row) -> bool:
    numbers = {"step": _STEP, "epoch": _EPOCH}.get(str(row.get("kind")))
    if numbers is None or not all(type(row.get(name)) is int for name in numbers):
        return False
    if row["kind"] == "step":
        there = [*_ALWAYS, *(name for name in _SOMETIMES if name in row)]
        there += [name for name in _OR_NONE if row.get(name) is not None]
        return all(_number(row.get(name)) for name in there)
    ways = [row[way] for way in ("t2i", "i2t") if way in row]
    return (
        all(_number(row[name]) for name in ("mean_recall", "valid_seconds") if name in row)
        and len(ways) in (0, 2)
        and all(isinstance(way, dict) and all(_number(way.get(name)) for name in _RECALLS) for way in ways)
        and _answered(row.get("examples", []))
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _answered(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(one, dict) and type(one.get("rank")) is int and _integers(one.get("top")) for one in found
    )


def _integers(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def read_metrics(folder: Path) -> tuple[list[Row], list[Row]]:
    """The steps and the epochs of a run so far, each once and in order."""
    steps: dict[int, Row] = {}
    epochs: dict[int, Row] = {}
    for row in _rows(folder / METRICS):
        if row.pop("kind") == "step":
            steps[row["step"]] = row
        else:
            epochs[row["epoch"]] = row
    return [steps[key] for key in sorted(steps)], [epochs[key] for key in sorted(epochs)]


def time_left(steps: Sequence[Row], epochs: Sequence[Row], total_steps: int, total_epochs: int) -> float | None:
    """Seconds that the rest will take at the pace of the latest steps and evaluations; None before there is one."""
    recent = steps[-_RECENT:]
    if len(recent) < 2:
        return None
    a_step = (recent[-1]["seconds"] - recent[0]["seconds"]) / (len(recent) - 1)
    trained = epochs[-1]["epoch"] if epochs else 0
    a_validation = epochs[-1].get("valid_seconds", 0.0) if epochs else 0.0
    return float((total_steps - recent[-1]["step"]) * a_step + max(0, total_epochs - trained) * a_validation)


def memory_notes(steps: Sequence[Row]) -> list[Row]:
    """Where the memory guard changed how many pictures are computed at once: ``step``, ``before``, ``now``."""
    return [
        {"step": now["step"], "before": before["micro_batch"], "now": now["micro_batch"]}
        for before, now in pairwise(steps)
        if before.get("micro_batch") != now.get("micro_batch")
    ]


@dataclass(frozen=True)
class Example:
    """A query of the valid split that is followed through a run: its text, its row there, its right pictures' ids."""

    text: str
    row: int
    images: list[int]


def examples_of(folder: Path, valid: Encoded) -> list[Example]:
    """The example queries of a run, chosen at its first start and the same ever after; anew where its file is damaged
    or speaks of other texts.
    """
    kept = read_examples(folder)
    if kept and all(_asks(example, valid) for example in kept):
        return kept
    chosen = choose_examples(valid)
    with replacing(folder / EXAMPLES) as temporary:
        content = json.dumps([asdict(example) for example in chosen], ensure_ascii=False, indent=1)
        temporary.write_text(content, encoding="utf-8")
    return chosen


def _asks(example: Example, valid: Encoded) -> bool:
    row = example.row
    return (
        0 <= row < len(valid.texts)
        and valid.texts[row] == example.text
        and example.images == [valid.image_ids[image] for image in valid.text_images[row]]
    )


def choose_examples(valid: Encoded) -> list[Example]:
    """Queries of different passages from all over the split, in the sources' words where there are any."""
    rows = [row for row, images in enumerate(valid.text_images) if images]
    original = [row for row in rows if valid.kinds[row] == "original"]
    # a passage that is not known (0) is one of its own
    by_passage = {valid.passages[row] or f"row {row}": row for row in reversed(original or rows)}
    apart = sorted(by_passage.values())
    step = max(1, len(apart) // EXAMPLES_SHOWN)
    return [
        Example(valid.texts[row], row, [valid.image_ids[image] for image in valid.text_images[row]])
        for row in apart[::step][:EXAMPLES_SHOWN]
    ]


def read_examples(folder: Path) -> list[Example]:
    """The example queries of a run; none for a run without a valid split, or whose file is damaged."""
    file = folder / EXAMPLES
    if not file.is_file():
        return []
    try:
        found = [Example(**example) for example in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, RecursionError):
        return []
    sound = all(isinstance(e.text, str) and type(e.row) is int and _integers(e.images) and e.images for e in found)
    return found if sound else []


def answers(
    examples: Sequence[Example],
    texts: NDArray[np.float32],
    images: NDArray[np.float32],
    image_ids: Sequence[int],
) -> list[Row]:
    """For each example the ids of its ``top`` pictures, best first, and the ``rank`` of its best right one."""
    found = []
    for example in examples:
        order = np.argsort(-(images @ texts[example.row]), kind="stable")
        ids = [image_ids[row] for row in order]
        found.append({"top": ids[:TOP], "rank": 1 + min(ids.index(image) for image in example.images)})
    return found


@contextmanager
def run_log(folder: Path) -> Iterator[None]:
    """Write what is logged meanwhile into the run's own log as well."""
    root, level = logging.getLogger(), logging.getLogger().level
    handler = logging.FileHandler(folder / LOG, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO) or logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def tail(files: Iterable[Path], lines: int = 40) -> str:
    """The last lines of these files, one file after the other; only their ends are read."""
    found: list[str] = []
    for file in files:
        if file.is_file():
            with file.open("rb") as stream:
                stream.seek(max(0, file.stat().st_size - 64 * 1024))
                found += stream.read().decode("utf-8", "replace").splitlines()[-lines:]
    return "\n".join(found)


def flat_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run by name, those of its adapters among them; without what else belongs to its record."""
    lora = config.get("lora", {}) if config.get("method") == "lora" else {}
    return {name: value for name, value in config.items() if name not in ("lora", "extra")} | lora
