"""Making an empty home the demo project: everything in it is generated and says so."""

import os
from typing import Any

from core.annotation.provider import Reply
from core.demo.project import DemoPassage, DemoProject, demo_project
from core.errors import StorageError
from core.progress import stop_if_asked
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.connection import transaction
from db.images import Pairs
from db.passages import Passages
from db.suggestions import Suggestions
from workbench.jobs.kinds import JobContext
from workbench.settings import DEMO_DATASET
from workbench.tasks.datasets import DEFAULT_KINDS, build
from workbench.tasks.images import add_picture

WHO = "songclip demo"


def demo_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: paint, write and build the demo; going on where an interrupted one stopped.

    Raises StorageError ``demo_needs_empty_home`` for a home that holds a person's work.
    """
    db = context.db
    if context.home.marker(db) == "person" or (Passages(db).count() and context.home.marker(db) != "demo"):
        raise StorageError("demo_needs_empty_home", path=context.home.path)
    context.home.mark(db, "demo")
    project = demo_project(int(params.get("seed", 0)))
    images = _paint(context, project)
    with transaction(db):
        passages = _write(context, project)
        pairs = [(passages[passage], images[picture], "") for passage, picture in project.pairs]
        Pairs(db).add(pairs, who=WHO)
    manifest = build(
        context.home,
        db,
        {
            "name": DEMO_DATASET,
            "statuses": ["approved"],
            "kinds": list(DEFAULT_KINDS),
            "valid": 0.15,
            "test": 0.25,
            "seed": 0,
        },
        context.progress,
    )
    counted = {"images": len(images), "passages": len(passages), "pairs": len(pairs)}
    return {**counted, "dataset": manifest.name, "path": str(context.home.path)}


def _paint(context: JobContext, project: DemoProject) -> list[int]:
    """Store every picture; those that an earlier try stored are met again by their SHA-256."""
    ids = []
    total = len(project.pictures)
    workers = min(os.cpu_count() or 1, 4)
    for done, (picture, data) in enumerate(zip(project.pictures, project.jpegs(workers), strict=True), 1):
        stop_if_asked(context.progress)
        described = {name: getattr(picture, name) for name in ("title", "category", "source", "rights", "note")}
        record, _ = add_picture(context.home, context.db, picture.file_name, data, described, generated=True)
        ids.append(record.id)
        context.progress.report(done, total, "progress.demo")
    return ids


def _write(context: JobContext, project: DemoProject) -> list[int]:
    passages = Passages(context.db)
    ids = []
    for item in project.passages:
        new = NewPassage(item.source, item.chapter, item.text, file_id=item.file_id, edition=WHO)
        added = passages.add([new], generated=True)
        if added.ids:
            ids.append(added.ids[0])
            _annotate(context, added.ids[0], item)
        else:
            ids.append(passages.by_file_id(item.source, item.file_id)[0].id)
    return ids


def _annotate(context: JobContext, passage_id: int, item: DemoPassage) -> None:
    if item.value is None:
        return
    if item.status is Status.SUGGESTED:
        reply = Reply(
            value=item.value,
            raw="",
            provider="demo",
            model="reference",
            prompt_version="",
            parameters={},
            missing=("modern_chinese", "english"),
        )
        Suggestions(context.db).add(Passages(context.db).get(passage_id), reply)
        return
    Annotations(context.db).save(passage_id, item.value, item.status, version=0, who=WHO, why="demo")
