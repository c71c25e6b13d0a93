from dataclasses import replace

import pytest

from core.errors import NotFoundError
from core.texts.passage import NewPassage
from db.images import Images, Pairs
from db.passages import Passages


@pytest.fixture
def images(db):
    return Images(db)


@pytest.fixture
def pairs(db):
    return Pairs(db)


def test_every_field_comes_back_as_it_was(images, new_image):
    stored = new_image(
        1, title="断桥残雪", category="painting", source="西湖十景图", rights="CC0", note="绢本", work="w"
    )
    again = images.get(stored.id)
    assert again == stored
    assert (again.title, again.category, again.source, again.rights) == ("断桥残雪", "painting", "西湖十景图", "CC0")
    assert (again.width, again.height, again.generated) == (640, 480, False)


def test_the_same_sha256_is_the_same_picture(images, new_image):
    first = new_image(1, title="断桥")
    other = replace(first, title="another title", file_name="other.jpg")
    again, is_new = images.add(other)
    assert (again, is_new) == (first, False)
    assert images.count() == 1


def test_a_deleted_picture_that_is_uploaded_again_comes_back(images, pairs, passage, new_image):
    image = new_image(1)
    pairs.add([(passage.id, image.id, "")], who="甲")
    images.delete(image.id)
    assert images.all() == [] and images.page() == [] and images.count() == 0
    assert pairs.count() == 0 and pairs.all() == [] and pairs.images_of(passage.id) == []
    assert images.get(image.id).deleted_at
    again, is_new = images.add(image)
    assert (again.id, is_new, again.deleted_at) == (image.id, False, None)
    assert pairs.count() == 1
    images.delete(image.id)
    images.restore(image.id)
    assert images.all() == [image]


def test_found_by_id_hash_or_file_name(images, new_image):
    one, two = new_image(0xABCDEF12), new_image(2)
    assert images.find(str(one.id)) == one
    assert images.find(f" {two.sha256} ") == two
    assert images.find(two.sha256.upper()) == two
    assert images.find("2.jpg") == two
    assert images.find("nothing.jpg") is None
    assert images.find("00000000") is None  # the beginning of both
    images.delete(two.id)
    assert images.find("2.jpg") is None


@pytest.mark.parametrize("asked", ["", "%", "9" * 40, "_.jpg"])
def test_what_means_no_picture(images, new_image, asked):
    new_image(1)
    assert images.find(asked) is None


def test_a_file_name_that_several_have_means_none(images, new_image):
    images.add(replace(new_image(1), sha256="f" * 64))
    assert images.find("1.jpg") is None


def test_searched_with_variants_and_by_category(images, new_image):
    lake = new_image(1, title="西湖蘇堤", category="painting")
    map_ = new_image(2, title="京城图", source="咸淳臨安志", category="map")
    assert images.page("苏堤") == [lake]
    assert images.page("临安志 京城圖") == [map_]
    assert images.page(category="map") == [map_]
    assert images.page("苏堤", "map") == []
    assert images.page() == [map_, lake]
    assert images.page(limit=1, offset=1) == [lake]
    assert images.count("苏堤") == 1
    images.describe(replace(lake, title="断桥"))
    assert images.page("苏堤") == [] and images.page("断桥")[0].title == "断桥"


def test_a_picture_that_never_was(images):
    for asked in (99, 10**30):
        with pytest.raises(NotFoundError):
            images.get(asked)


def test_pairs_are_many_to_many_and_not_doubled(db, pairs, passage, new_image):
    (other,) = Passages(db).add([NewPassage("武林旧事", "", "断桥")]).ids
    one, two = new_image(1), new_image(2)
    wanted = [(passage.id, one.id, "一"), (passage.id, two.id, ""), (other, two.id, "")]
    assert pairs.add(wanted, who="甲") == 3
    assert pairs.add([(passage.id, one.id, "二"), *wanted], who="乙") == 0
    assert [(pair.passage_id, pair.image_id) for pair in pairs.all()] == [row[:2] for row in wanted]
    assert (pairs.all()[0].note, pairs.all()[0].created_by) == ("一", "甲")
    assert pairs.images_of(passage.id) == [one, two]
    assert pairs.passages_of(two.id) == [passage.id, other]
    pairs.remove(passage.id, two.id)
    assert pairs.count() == 2 and pairs.passages_of(two.id) == [other]
    Passages(db).delete([other])
    assert pairs.count() == 1 and pairs.passages_of(two.id) == []


def test_a_pair_needs_both_its_ends(db, pairs, passage, new_image):
    image = new_image(1)
    with pytest.raises(Exception, match="FOREIGN KEY"):
        pairs.add([(passage.id, image.id, ""), (passage.id, 99, "")], who="甲")
    assert pairs.count() == 0


def test_a_pair_is_connected_or_refused_or_neither(pairs, passage, new_image):
    one, two = new_image(1), new_image(2)
    assert pairs.add([(passage.id, one.id, ""), (passage.id, two.id, "")], who="甲") == 2
    assert pairs.refuse([(passage.id, one.id, "only looks so")], who="乙") == 1
    assert pairs.images_of(passage.id) == [two] and pairs.images_of(passage.id, refused=True) == [one]
    (refused,) = pairs.all(refused=True)
    assert (refused.image_id, refused.note, refused.created_by) == (one.id, "only looks so", "乙")
    assert pairs.refuse([(passage.id, one.id, "again")], who="丙") == 0
    assert pairs.all(refused=True) == [refused]
    assert pairs.add([(passage.id, one.id, "")], who="甲") == 1
    assert pairs.images_of(passage.id) == [one, two] and pairs.count(refused=True) == 0
    pairs.refuse([(passage.id, one.id, "")], who="甲")
    pairs.take_back(passage.id, one.id)
    assert pairs.images_of(passage.id) == [two] and pairs.images_of(passage.id, refused=True) == []


def test_a_refused_pair_is_no_pair(pairs, images, passage, new_image):
    image = new_image(1)
    pairs.refuse([(passage.id, image.id, "")], who="甲")
    assert pairs.count() == 0 and pairs.all() == [] and pairs.passages_of(image.id) == []
    assert pairs.count(refused=True) == 1
    images.delete(image.id)
    assert pairs.count(refused=True) == 0 and pairs.all(refused=True) == []
