"""Records that many tests of the repositories begin with."""

import pytest

from core.records import ImageRecord
from core.texts.annotation import AnnotationValue, Entity, Relation
from core.texts.passage import NewPassage
from db.images import Images
from db.passages import Passages

TEXT = "德寿宫在望仙桥东，元系秦太师赐第。"


@pytest.fixture
def passage(db):
    passages = Passages(db)
    added = passages.add([NewPassage("梦粱录", "卷八·德寿宫", TEXT, file_id="1")])
    return passages.get(added.ids[0])


@pytest.fixture
def value():
    return AnnotationValue(
        entities=(
            Entity("e1", "德寿宫", type="palace", mentions=((0, 3),)),
            Entity("e2", "望仙桥", type="bridge", mentions=((4, 7),)),
        ),
        relations=(Relation("e1", "east_of", "e2", evidence=(3, 8)),),
        spatial_relation="德寿宫位于望仙桥东侧",
    )


@pytest.fixture
def new_image(db):
    """A function that stores a picture's record under a number of its own."""

    def add(number: int, **fields):
        record = ImageRecord(0, f"{number:064x}", f"{number}.jpg", "jpg", 640, 480, **fields)
        return Images(db).add(record)[0]

    return add
