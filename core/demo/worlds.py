"""Whole worlds for training and for held-out figures: pictures, passages, captions, in parts that never meet."""

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.demo.captions import full_caption
from core.demo.painter import paint, paint_jpeg
from core.demo.passages import compose_passage
from core.demo.scenes import Part, Scene, make_scenes
from core.texts.annotation import AnnotationValue


@dataclass(frozen=True, slots=True)
class WorldItem:
    """A scene with its classical passage, the passage's reference reading and a modern caption.

    Passage and caption say the same: all that can be said of the picture.
    """

    scene: Scene
    passage: str
    reference: AnnotationValue
    modern: str

    def jpeg(self) -> bytes:
        """The picture's file; painted anew at each call, the same each time."""
        return paint_jpeg(self.scene)


def benchmark_world(count: int, seed: int) -> list[WorldItem]:
    """``count`` held-out items, no two of one view; nothing of them is in the pre-training or the demo project."""
    return _world(count, seed, "benchmark")


def training_world(count: int, seed: int) -> list[WorldItem]:
    """``count`` items of the demo project's part, for tuning; none is in pre-training or in a benchmark world."""
    return _world(count, seed, "project")


def _world(count: int, seed: int, part: Part) -> list[WorldItem]:
    rng = random.Random(f"songclip world {part} {seed}")
    items = []
    for scene in make_scenes(count, seed, part=part):
        passage, reference = compose_passage(scene, rng)
        items.append(WorldItem(scene, passage, reference, full_caption(scene, rng)))
    return items


def small_pixels(scene: Scene, resolution: int = 112) -> NDArray[np.uint8]:
    """A painting as the mini model sees it, uint8 [3, resolution, resolution]: as core.model.preprocess squashes it."""
    small = paint(scene).resize((resolution, resolution), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(small, dtype=np.uint8).transpose(2, 0, 1))


def paint_pixels(scenes: Sequence[Scene], workers: int = 1) -> NDArray[np.uint8]:
    """:func:`small_pixels` of many scenes, uint8 [n, 3, 112, 112]; painted by ``workers`` processes (spawned)."""
    return np.stack(list(_each_pixels(scenes, workers)))


def _each_pixels(scenes: Sequence[Scene], workers: int) -> Iterator[NDArray[np.uint8]]:
    if workers <= 1:
        yield from map(small_pixels, scenes)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(small_pixels, scenes, chunksize=64)
