"""A small painted dataset with a valid split in a home, for tests of training and its pages."""

from core.demo.worlds import training_world
from core.progress import Silent
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from core.training.config import TrainConfig
from db.annotations import Annotations
from db.home import Home
from db.images import Pairs
from db.passages import Passages
from workbench.tasks.datasets import build
from workbench.tasks.images import add_picture
from workbench.tasks.training import config_for

SCENES = 16
PARAMS = {"name": "lake", "statuses": ["approved"], "kinds": ["original"], "valid": 0.4, "test": 0.0, "seed": 0}


def fill(home: Home, **changed: object) -> None:
    """Paint the pictures, approve their passages and build the dataset ``lake``; ``changed`` goes over its settings."""
    db = home.open()
    world = training_world(SCENES, 3)
    ids = Passages(db).add([NewPassage("示例", "", item.passage) for item in world]).ids
    images = [add_picture(home, db, f"{n}.jpg", item.jpeg(), {"title": f"画{n}"})[0] for n, item in enumerate(world)]
    Pairs(db).add([(passage, image.id, "") for passage, image in zip(ids, images, strict=True)], who="test")
    for passage, item in zip(ids, world, strict=True):
        Annotations(db).save(passage, item.reference, Status.APPROVED, version=0, who="test", why="approved")
    rebuild(home, **changed)


def rebuild(home: Home, **changed: object) -> None:
    """Build ``lake`` again from the same approved passages."""
    build(home, home.open(), PARAMS | changed, Silent())


def small_config(epochs: int = 2, **options: object) -> TrainConfig:
    """A run of the mini model that takes a moment: about two steps an epoch."""
    return config_for("mini", epochs=epochs, batch_size=5, rank=4, **options)  # type: ignore[arg-type]
