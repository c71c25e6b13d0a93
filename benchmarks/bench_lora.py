"""What LoRA wins: text→image recall on held-out scenes with classical passages, zero-shot against tuned.

The training world and the benchmark world are made by the same code from parts that never meet; neither was seen in
pre-training. Validation is cut from the training world, so the benchmark world is looked at once, at the end.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.demo.worlds import WorldItem, benchmark_world, paint_pixels, training_world
from core.evaluation.comparison import compare
from core.evaluation.report import Evaluation, evaluate
from core.model.features import encode_images, encode_texts
from core.model.loading import LoadedModel, load_model
from core.model.lora import count_parameters
from core.training.data import TrainingData
from core.training.loop import train
from core.training.presets import default_config


def measure(model: LoadedModel, items: list[WorldItem], pixels: np.ndarray) -> Evaluation:
    """Each scene's passage asks for its picture among all."""
    texts = encode_texts(model, [item.passage for item in items])
    return evaluate(texts, encode_images(model, pixels), [[row] for row in range(len(items))])


def figures(result: Evaluation) -> dict[str, Any]:
    """Text→image only, short."""
    found = result.to_json()["t2i"]
    return {name: {"value": found[name], "ci": found["ci"][name]} for name in ("R@1", "R@5", "R@10")}


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--seed", type=int, default=20261123)
    options = parser.parse_args()
    own = training_world(options.train + options.train // 5, options.seed)
    held_out = benchmark_world(options.held_out, options.seed)
    own_pixels, held_out_pixels = paint_pixels([i.scene for i in own]), paint_pixels([i.scene for i in held_out])
    cut = options.train
    model = load_model("mini", Path())
    config = default_config("mini")
    if options.epochs:
        from dataclasses import replace

        config = replace(config, epochs=options.epochs)
    before = measure(model, held_out, held_out_pixels)
    texts = [text for item in own[:cut] for text in (item.passage, item.reference.search_prompt)]
    data = TrainingData(own_pixels[:cut], texts, [[row // 2] for row in range(len(texts))])
    valid = own[cut:]

    def validate() -> dict[str, float]:
        found = measure(model, valid, own_pixels[cut:]).to_json()
        return {"mean_recall": found["t2i"]["mean"]}

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = train(model, data, config, Path(folder), valid=validate)
    seconds = time.perf_counter() - began
    after = measure(model, held_out, held_out_pixels)
    low, high = figures(after)["R@5"]["ci"][0], figures(before)["R@5"]["ci"][1]
    trainable, total = count_parameters(model.clip)
    document = {
        "held_out": options.held_out,
        "chance_r5": before.to_json()["t2i"]["chance"]["R@5"],
        "zero_shot": figures(before),
        "lora": figures(after),
        "intervals_apart": low > high,
        "difference_r5": compare(before.t2i_ranks, after.t2i_ranks)[5].to_json(),
        "trainable_percent": round(100 * trainable / total, 2),
        "best_epoch": result.best_epoch,
        "train_seconds": round(seconds, 1),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
