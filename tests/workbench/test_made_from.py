"""A dataset knows which annotations it was made from, and is told when they have changed."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from core.annotation.rules import OfflineRules
from core.dataset.manifest import read_manifest
from core.progress import Silent
from core.texts.annotation import AnnotationValue, Entity, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.experiments import Datasets
from db.images import Pairs
from db.made_from import changed_since
from db.passages import Passages
from workbench.tasks.annotating import suggest
from workbench.tasks.datasets import build, stale_passages
from workbench.tasks.images import add_picture
from workbench.tasks.passages import correct_passage

PARAMS = {"name": "d", "statuses": ["approved"], "kinds": ["original", "modern", "prompt"]}
PARAMS |= {"valid": 0.0, "test": 0.0, "seed": 0}


def png(number):
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (40 * number, 90, 160)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def ids(home, db):
    """Three approved passages, each with a picture, and a fourth that is approved without one."""
    texts = [f"𠮷德寿宫在望仙桥东，其{n}。" for n in range(4)]
    ids = Passages(db).add([NewPassage("梦粱录", "卷八", text) for text in texts]).ids
    for number, passage_id in enumerate(ids):
        entity = Entity("e1", "德寿宫", type="palace", mentions=((1, 4),))
        change(db, passage_id, AnnotationValue((entity,), modern_chinese=f"译{number}", search_prompt=f"词{number}"))
    images = [add_picture(home, db, f"{n}.png", png(n), {})[0] for n in range(3)]
    Pairs(db).add([(passage_id, image.id, "") for passage_id, image in zip(ids[:3], images, strict=True)], who="王")
    return ids


def change(db, passage_id, value=None, status=Status.APPROVED, sitting="", **fields):
    annotations = Annotations(db)
    current = annotations.get(passage_id)
    return annotations.save(
        passage_id,
        replace(value or current.value, **fields),
        status,
        version=current.version,
        who="王",
        why="edited" if status is Status.DRAFT else status.value,
        sitting=sitting,
    )


def made(home, db, **changed):
    return build(home, db, PARAMS | changed, Silent()).to_json()


def test_the_manifest_names_the_revisions_that_were_used(home, db, ids):
    change(db, ids[1])
    manifest = made(home, db)
    assert manifest["made_from"] == {str(ids[0]): 1, str(ids[1]): 2, str(ids[2]): 1}
    assert read_manifest(home.datasets / "d").made_from == manifest["made_from"]
    assert Datasets(db).get("d").manifest["made_from"] == manifest["made_from"]
    # Saying nothing new: the same dataset under the same hash.
    change(db, ids[0])
    assert made(home, db)["hash"] == manifest["hash"]


def test_what_the_captions_are_made_of_makes_the_dataset_stale(home, db, ids):
    manifest = made(home, db)
    assert stale_passages(db, manifest) == []
    change(db, ids[2], modern_chinese="新译")
    change(db, ids[0], entities=())
    change(db, ids[3], search_prompt="不在其中")
    assert stale_passages(db, manifest) == [ids[0], ids[2]]
    assert stale_passages(db, made(home, db)) == []


def test_what_no_caption_is_made_of_does_not(home, db, ids):
    manifest, with_english = made(home, db), made(home, db, name="e", kinds=["english", "modern"])
    change(db, ids[0], english="New.", note="存疑", spatial_relation="在东")
    assert stale_passages(db, manifest) == []
    assert stale_passages(db, with_english) == [ids[0]]
    change(db, ids[1], search_prompt="新词")
    assert stale_passages(db, with_english) == [ids[0]]


def test_a_corrected_text_makes_it_stale(home, db, ids):
    manifest = made(home, db)
    passage = Passages(db).get(ids[1])
    correct_passage(db, replace(passage, text=passage.text.replace("望仙桥", "望僊橋")), who="王")
    assert stale_passages(db, manifest) == [ids[1]]


def test_annotations_that_were_taken_back_make_it_stale(home, db, ids):
    manifest = made(home, db)
    change(db, ids[0], status=Status.DRAFT)
    change(db, ids[1], status=Status.DISCARDED)
    Passages(db).delete([ids[2]])
    assert stale_passages(db, manifest) == list(ids[:3])
    Passages(db).restore([ids[2]])
    change(db, ids[0])
    change(db, ids[1])
    assert stale_passages(db, manifest) == []


def test_a_sitting_that_goes_on_after_the_build_is_seen(home, db, ids):
    """Within one sitting the revision stays; the build closes it."""
    change(db, ids[0], status=Status.DRAFT, sitting="s", modern_chinese="初稿")
    manifest = made(home, db, statuses=["approved", "draft"])
    change(db, ids[0], status=Status.DRAFT, sitting="s", modern_chinese="再稿")
    assert stale_passages(db, manifest) == [ids[0]]


def test_a_dataset_from_before_says_nothing(home, db, ids):
    manifest = made(home, db)
    del manifest["made_from"]
    change(db, ids[0], modern_chinese="新译")
    assert stale_passages(db, manifest) == []
    db.execute("UPDATE annotations SET made = '{}'")
    assert changed_since(db, {str(ids[0]): 1}, parts=["english"], statuses=["approved"]) == []


def test_a_suggestion_alone_can_be_in_a_dataset_and_leaves_it_when_it_is_reviewed(home, db, ids):
    (new,) = Passages(db).add([NewPassage("武林旧事", "卷五", "断桥在西湖北。")]).ids
    suggest(db, new, OfflineRules())
    image = add_picture(home, db, "9.png", png(5), {})[0]
    Pairs(db).add([(new, image.id, "")], who="王")
    manifest = made(home, db, statuses=["approved", "suggested"])
    assert stale_passages(db, manifest) == []
    change(db, new, AnnotationValue(), status=Status.DRAFT)
    assert stale_passages(db, manifest) == [new]
