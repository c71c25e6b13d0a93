"""How much weaker the mini model is on classical passages than on modern captions of the same held-out scenes.

Zero-shot, text to image and back, 95 % intervals; prints one JSON document. Seeds and views are disjoint from
pre-training and from the demo project, which is checked here again.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from core.demo.pretrain import PretrainConfig, encode_images, encode_texts
from core.demo.project import demo_project
from core.demo.scenes import make_scenes
from core.demo.worlds import benchmark_world, paint_pixels
from core.evaluation.report import evaluate
from core.model.loading import load_model


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=31415)
    parser.add_argument("--model", default="mini")
    given = parser.parse_args()
    start = time.monotonic()
    world = benchmark_world(given.scenes, given.seed)
    config = PretrainConfig()
    seen = {scene.view() for scene in make_scenes(config.scenes, config.seed, part="pretraining")}
    shown = {picture.scene.view() for picture in demo_project().pictures}
    views = {item.scene.view() for item in world}
    shared = {"with_pretraining": len(views & seen), "with_demo_project": len(views & shown)}
    model = load_model(given.model, Path())
    images = encode_images(model.clip, paint_pixels([item.scene for item in world], workers=2)).numpy()
    right = [[index] for index in range(len(world))]
    figures = {}
    for name, texts in (("modern", [i.modern for i in world]), ("classical", [i.passage for i in world])):
        figures[name] = evaluate(encode_texts(model.clip, texts).numpy(), images, right).to_json()
    apart = figures["classical"]["t2i"]["ci"]["R@5"][1] < figures["modern"]["t2i"]["ci"]["R@5"][0]
    report = {
        "benchmark": "demo_gap",
        "model": given.model,
        "scenes": len(world),
        "seed": given.seed,
        "shared_views": shared,
        **figures,
        "gap_R@5": round(figures["modern"]["t2i"]["R@5"] - figures["classical"]["t2i"]["R@5"], 2),
        "intervals_apart": bool(apart),
        "numpy": np.__version__,
        "seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps(report, ensure_ascii=False, indent=2))
    return 0 if apart and not any(shared.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
