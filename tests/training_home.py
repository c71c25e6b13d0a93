"""A small painted dataset with a valid split in a home, for tests of training and its pages."""

import io

import numpy as np
from PIL import Image

from core.demo.worlds import training_world
from core.progress import Silent
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from core.training.config import TrainConfig
from db.annotations import Annotations
from db.home import Home
from db.images import Pairs
from db.jobs import Jobs
from db.passages import Passages
from workbench.tasks.datasets import build
from workbench.tasks.images import add_picture
from workbench.tasks.options import config_for

SCENES = 16
PARAMS = {"name": "lake", "statuses": ["approved"], "kinds": ["original"], "valid": 0.4, "test": 0.0, "seed": 0}


def fill(home: Home, scenes: int = SCENES, *, painted: bool = True, **changed: object) -> None:
    """Paint the pictures, approve their passages and build the dataset ``lake``; ``changed`` goes over its settings.

    Pictures that are not ``painted`` are coloured squares: many of them are made in a moment.
    """
    db = home.open()
    world = training_world(scenes, 3)
    ids = Passages(db).add([NewPassage("示例", "", item.passage) for item in world]).ids
    files = [item.jpeg() if painted else squares(n) for n, item in enumerate(world)]
    images = [add_picture(home, db, f"{n}.jpg", file, {"title": f"画{n}"})[0] for n, file in enumerate(files)]
    Pairs(db).add([(passage, image.id, "") for passage, image in zip(ids, images, strict=True)], who="test")
    for passage, item in zip(ids, world, strict=True):
        Annotations(db).save(passage, item.reference, Status.APPROVED, version=0, who="test", why="approved")
    rebuild(home, **changed)


def squares(number: int) -> bytes:
    """A JPEG of 9 × 9 squares, of other colours for each number."""
    colours = np.random.default_rng(number).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(colours).resize((112, 112), Image.Resampling.NEAREST).save(out, "JPEG")
    return out.getvalue()


def rebuild(home: Home, **changed: object) -> None:
    """Build ``lake`` again from the same approved passages."""
    build(home, home.open(), PARAMS | changed, Silent())


def small_config(epochs: int = 2, **options: object) -> TrainConfig:
    """A run of the mini model that takes a moment: about two steps an epoch."""
    return config_for("mini", epochs=epochs, batch_size=5, rank=4, **options)  # type: ignore[arg-type]


class StopAt:
    """Asks a job to stop, as the button does, once so many steps of training were reported."""

    def __init__(self, jobs: Jobs, job_id: int, step: int) -> None:
        self.jobs, self.job_id, self.step = jobs, job_id, step

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        if message == "progress.train_step" and done >= self.step and not self.jobs.get(self.job_id).stop_requested:
            self.jobs.cancel(self.job_id)

    def should_stop(self) -> bool:
        return False
