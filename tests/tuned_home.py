"""A small home with two datasets that share nothing, an adapter run and a fully tuned run on the first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from core.demo.worlds import WorldItem, benchmark_world, training_world
from core.progress import Silent
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.home import Home
from db.images import Pairs
from db.passages import Passages
from workbench.tasks.datasets import build
from workbench.tasks.images import add_picture
from workbench.tasks.options import config_for
from workbench.tasks.training import carry_out, start_run

SCENES, OTHERS = 24, 10
PARAMS = {"statuses": ["approved"], "kinds": ["original", "modern"], "valid": 0.2, "test": 0.3, "seed": 0}


def add_scenes(home: Home, db: Database, items: Sequence[WorldItem], status: Status) -> None:
    """Passages at a status, each with its picture."""
    for passage_id, item in zip(
        Passages(db).add([NewPassage("示例", "卷一", item.passage) for item in items]).ids, items, strict=True
    ):
        version = Annotations(db).get(passage_id).version
        Annotations(db).save(passage_id, item.reference, status, version=version, who="test", why="edited")
        image = add_picture(home, db, f"{passage_id}.jpg", item.jpeg(), {})[0]
        Pairs(db).add([(passage_id, image.id, "")], who="test")


def tuned_home(folder: Path) -> tuple[Home, dict[str, str]]:
    """The home and its runs by method, each of one epoch on ``lake``; ``far`` shares nothing with it."""
    home = Home(folder / "home")
    db = home.open()
    add_scenes(home, db, training_world(SCENES, 5), Status.APPROVED)
    add_scenes(home, db, benchmark_world(OTHERS, 5), Status.DRAFT)
    build(home, db, PARAMS | {"name": "far", "statuses": ["draft"]}, Silent())
    build(home, db, PARAMS | {"name": "lake"}, Silent())
    runs = {}
    for method in ("lora", "full"):
        config = replace(config_for("mini", method=method, epochs=1), batch_size=8)
        run = start_run(home, db, "lake", "mini", config, job_id=None)
        carry_out(home, db, run, Silent())
        runs[method] = run.name
    db.conn.close()
    return home, runs
