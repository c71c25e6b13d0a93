"""What tuning wins, and what it costs elsewhere: zero-shot, LoRA and full fine-tune on held-out scenes.

Text→image recall of classical passages over the whole gallery; the modern captions of the same scenes stand for what
the model knew before. Training world and benchmark world are made by the same code from parts that never meet, and
neither was seen in pre-training. Validation is cut from the training world, so the benchmark world is looked at once a
run, at the end. Both methods take the same steps on the same pictures and texts; a seed draws its own training world
and its own start, and the benchmark world is one for all.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.demo.worlds import WorldItem, benchmark_world, paint_pixels, training_world
from core.evaluation.comparison import compare
from core.evaluation.intervals import mean_interval
from core.evaluation.recall import KS
from core.evaluation.report import Evaluation, evaluate
from core.model.features import encode_images, encode_texts
from core.model.loading import LoadedModel, load_model
from core.training.config import Method
from core.training.data import TrainingData
from core.training.loop import train
from core.training.presets import default_config

HELD_OUT_SEED = 20261123
METHODS: tuple[Method, ...] = ("lora", "full")
Pixels = NDArray[np.uint8]


def measure(model: LoadedModel, texts: Sequence[str], pixels: Pixels) -> Evaluation:
    """Each scene's text asks for its picture among all."""
    right = [[row] for row in range(len(texts))]
    return evaluate(encode_texts(model, texts), encode_images(model, pixels), right)


def both(model: LoadedModel, world: Sequence[WorldItem], pixels: Pixels) -> dict[str, Evaluation]:
    """Classical passages, and modern captions of the same scenes."""
    return {
        "classical": measure(model, [item.passage for item in world], pixels),
        "modern": measure(model, [item.modern for item in world], pixels),
    }


def tune(method: Method, seed: int, count: int, epochs: int | None, folder: Path) -> tuple[LoadedModel, dict[str, Any]]:
    """The mini model tuned on a training world of its own; the best epoch by that world's validation part."""
    own = training_world(count + count // 5, seed)
    pixels = paint_pixels([item.scene for item in own])
    model = load_model("mini", Path())
    config = default_config("mini", method)
    config = replace(config, seed=seed, epochs=epochs or config.epochs)
    texts = [text for item in own[:count] for text in (item.passage, item.reference.search_prompt)]
    data = TrainingData(pixels[:count], texts, [[row // 2] for row in range(len(texts))])
    valid = [item.passage for item in own[count:]]

    def validate() -> dict[str, float]:
        return {"mean_recall": measure(model, valid, pixels[count:]).to_json()["t2i"]["mean"]}

    began = time.perf_counter()
    result = train(model, data, config, folder, valid=validate)
    about = {
        "steps": result.steps,
        "best_epoch": result.best_epoch,
        "trainable_percent": round(100 * result.trainable / result.total, 2),
        "seconds": round(time.perf_counter() - began, 1),
    }
    return model, about


def recall(found: Sequence[Evaluation], k: int) -> str:
    """Mean over the seeds, its 95 % interval over the queries, and the range over the seeds, in per cent."""
    hits = np.array([run.t2i_ranks.hits(k) for run in found], dtype=np.float64)
    low, high = mean_interval(hits.mean(axis=0))
    values = 100 * hits.mean(axis=1)
    spread = f" ({values.min():.1f}-{values.max():.1f})" if len(values) > 1 else ""
    return f"{values.mean():.1f} [{100 * low:.1f}-{100 * high:.1f}]{spread}"


def line(name: str, found: Sequence[dict[str, Evaluation]], seconds: float | None = None) -> str:
    """A row of the table."""
    cells = [recall([run["classical"] for run in found], k) for k in KS]
    cells.append(recall([run["modern"] for run in found], 5))
    return f"| {name:<14} | " + " | ".join(f"{cell:<30}" for cell in cells) + f" | {seconds or 0:>4.0f} |"


def changes(about: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """What each run came to, against zero-shot on the same queries."""
    for method in METHODS:
        for run in about[method]:
            gain = run["gain_R@5"]
            low, high = gain["ci"]
            yield (
                f"{method} seed {run['seed']}: {run['steps']} steps, best epoch {run['best_epoch']}, classical R@5 "
                f"{gain['difference']:+.1f} [{low:+.1f}, {high:+.1f}] on zero-shot, p {gain['p']:.1g}"
            )


def main() -> None:
    """Print a table in Markdown, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    world = benchmark_world(given.held_out, HELD_OUT_SEED)
    pixels = paint_pixels([item.scene for item in world])
    before = both(load_model("mini", Path()), world, pixels)
    found: dict[str, list[dict[str, Evaluation]]] = {method: [] for method in METHODS}
    about: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    for seed in given.seeds:
        for method in METHODS:
            with tempfile.TemporaryDirectory() as folder:
                model, told = tune(method, seed, given.train, given.epochs, Path(folder))
            found[method].append(both(model, world, pixels))
            change = compare(before["classical"].t2i_ranks, found[method][-1]["classical"].t2i_ranks)[5].to_json()
            about[method].append({"seed": seed, **told, "gain_R@5": change})
    seconds = time.perf_counter() - began
    if given.json:
        figures = {
            name: [{k: v.to_json()["t2i"] for k, v in run.items()} for run in runs] for name, runs in found.items()
        }
        zero_shot = {name: value.to_json()["t2i"] for name, value in before.items()}
        print(json.dumps({"zero_shot": zero_shot, **figures, "about": about, "seconds": round(seconds, 1)}, indent=1))
        return
    print(f"text→image, {given.held_out} held-out scenes, {given.train} to tune on, seeds {given.seeds}; per cent,")
    print("mean over the seeds [95 % interval over the queries] (range over the seeds); seconds of one tuning")
    heads = [*(f"classical R@{k}" for k in KS), "modern R@5"]
    print(f"| {'model':<14} | " + " | ".join(f"{head:<30}" for head in heads) + " | s    |")
    print("|---|" + "---|" * len(heads) + "---|")
    by_luck = before["classical"].t2i.chance
    chance = [f"{100 * by_luck[k]:.1f}" for k in (*KS, 5)]
    print(f"| {'chance':<14} | " + " | ".join(f"{value:<30}" for value in chance) + " |    0 |")
    print(line("zero-shot", [before]))
    for method, name in (("lora", "LoRA"), ("full", "full fine-tune")):
        runs = about[method]
        named = f"{name}, {runs[0]['trainable_percent']:.1f} %" if method == "lora" else name
        print(line(named, found[method], float(np.mean([run["seconds"] for run in runs]))))
    print("\n".join(changes(about)))
    print(f"in all {seconds:.0f} s")


if __name__ == "__main__":
    main()
