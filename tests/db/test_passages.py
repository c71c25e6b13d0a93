from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConflictError, InputError, NotFoundError
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from core.texts.variants import search_key
from db.annotations import Annotations
from db.home import Home
from db.images import Images, Pairs
from db.passages import PassageFilter, Passages


def new(text, source="咸淳临安志", chapter="卷一", **fields):
    return NewPassage(source, chapter, text, **fields)


@pytest.fixture
def passages(db):
    return Passages(db)


def found(passages, text):
    return [summary.passage.text for summary in passages.page(PassageFilter(text=text))]


def test_every_field_comes_back_as_it_was(passages):
    given = new("徳夀宮在望僊橋東𠮷", file_id="007", edition="四庫本", page="卷八頁三", address="https://example.org/8")
    stored = passages.get(passages.add([given]).ids[0])
    for name in ("source", "chapter", "text", "file_id", "edition", "page", "address"):
        assert getattr(stored, name) == getattr(given, name)
    assert stored.created_at and stored.deleted_at is None and not stored.generated
    assert passages.get(passages.add([new("x")], generated=True).ids[0]).generated


def test_duplicates_are_reported_not_doubled(passages):
    first = passages.add([new("西湖"), new("西湖", where="line 2"), new("西湖", chapter="卷二")])
    assert len(first.ids) == 2
    assert [duplicate.where for duplicate in first.duplicates] == ["line 2"]
    again = passages.add([new("西湖"), new("断桥")])
    assert (len(again.ids), len(again.duplicates)) == (1, 1)
    assert passages.count() == 3


def test_all_of_a_call_or_nothing(passages):
    with pytest.raises(AttributeError):
        passages.add([new("西湖"), None])
    assert passages.count() == 0


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("西湖", "臨安西湖蘇堤"),
        ("苏堤", "臨安西湖蘇堤"),
        ("蘇隄", "临安西湖苏堤"),
        ("德寿宫", "徳夀宮在望僊橋東"),
        ("徳夀宮", "德寿宫在望仙桥东"),
        ("西湖", "杭城之西有湖曰\n西\n湖"),
        ("湖曰西湖", "杭城之西有湖曰\n西湖"),
        ("西湖　断桥", "断桥在西湖"),
        ("咸淳臨安志", "何处"),
        ("ABC", "ａｂｃ"),
    ],
)
def test_search_folds_variants_and_sees_across_lines(passages, asked, text):
    passages.add([new(text), new("无关的一段", source="武林旧事")])
    assert found(passages, asked) == [text]


def test_search_takes_wildcards_and_quotes_as_written(passages):
    passages.add([new("西湖"), new("100%是_的'\"")])
    for asked in ("100%", "_", "'\""):
        assert found(passages, asked) == ["100%是_的'\""]
    assert found(passages, "西_湖") == []


@pytest.mark.parametrize("asked", ["𠀋", "𠀋湖", "𠮷野", "野家𠮷", "\U000323a0", "湖\U000323a0", "é"])
def test_search_finds_rare_characters_alone_and_among_others(passages, asked):
    passages.add([new("𠀋湖西𠮷野家𠮷湖\U000323a0é"), new("西湖")])
    assert len(found(passages, asked)) == 1


def test_a_lone_half_of_a_character_is_found_nowhere(passages):
    passages.add([new("西湖")])
    assert found(passages, "\ud840") == []


def test_a_search_as_long_as_a_passage_is_exact(passages):
    text = "".join(chr(0x4E00 + number * 7 % 5000) for number in range(12_000))
    passages.add([new(text), new(text[:-1] + "甲"), new("西湖")])
    assert found(passages, text) == [text]
    assert found(passages, " ".join(text[:300])) == [text, text[:-1] + "甲"]
    assert found(passages, " ".join([*text[:300], "缺"])) == []


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("西湖断桥\n 𠀋蘇苏%\"'*", min_size=1, max_size=8), max_size=6, unique=True),
    asked=st.text("西湖断桥 𠀋蘇苏%\"'*", max_size=4),
)
def test_search_finds_what_a_comparison_of_the_folded_texts_finds(texts, asked):
    with TemporaryDirectory() as folder:
        db = Home(Path(folder)).open()
        passages = Passages(db)
        passages.add([new(text) for text in texts])
        words = [search_key(word) for word in asked.split()]
        expected = [text for text in texts if all(word in search_key(text) for word in words)]
        assert found(passages, asked) == expected
        db.conn.close()


def test_search_does_not_join_the_fields(passages):
    passages.add([new("德寿宫", chapter="西湖")])
    assert found(passages, "湖德") == []


def test_titles_written_differently_are_one_work(passages):
    passages.add([new(str(n), source=title) for n, title in enumerate(["梦粱录", "夢粱錄", "梦梁录", "梦粱录"])])
    passages.add([new("9", source="武林旧事")])
    works = passages.works()
    assert sorted(count for _, count in works.values()) == [1, 4]
    key, (title, count) = next(iter(works.items()))
    assert (title, count) == ("梦粱录", 4)
    of_work = passages.page(PassageFilter(work=key))
    assert [summary.passage.source for summary in of_work] == ["梦粱录", "夢粱錄", "梦梁录", "梦粱录"]


def test_an_update_keeps_the_earlier_text(passages):
    passage = passages.get(passages.add([new("德寿宫在望仙桥西")]).ids[0])
    passages.update(replace(passage, text="德寿宫在望仙桥东", page="三"), who="甲")
    passages.update(replace(passage, text="德寿宫在望仙桥之东"), who="乙")
    texts = [(text, who) for text, who, _ in passages.earlier_texts(passage.id)]
    assert texts == [("德寿宫在望仙桥东", "乙"), ("德寿宫在望仙桥西", "甲")]
    assert found(passages, "之东") == ["德寿宫在望仙桥之东"]
    assert found(passages, "桥西") == []


def test_an_update_to_what_another_has_is_refused(passages):
    one, two = passages.add([new("西湖"), new("断桥")]).ids
    with pytest.raises(ConflictError) as raised:
        passages.update(replace(passages.get(two), text="西湖"), who="甲")
    assert found(passages, "断桥") == ["断桥"] and found(passages, "西湖") == ["西湖"]
    assert (raised.value.code, raised.value.details) == ("passage_duplicate", {"id": two, "other": one})
    assert passages.get(two).text == "断桥"
    assert passages.earlier_texts(two) == []


def test_an_empty_text_is_refused(passages):
    (passage_id,) = passages.add([new("西湖")]).ids
    with pytest.raises(InputError):
        passages.update(replace(passages.get(passage_id), text=" \n"), who="甲")
    assert passages.get(passage_id).text == "西湖"


def test_deleted_and_brought_back(passages):
    one, two = passages.add([new("西湖"), new("断桥")]).ids
    assert passages.delete([one, one]) == 1
    assert passages.ids() == [two]
    assert passages.ids(PassageFilter(deleted=True)) == [one]
    assert passages.get(one).deleted_at
    assert passages.restore([one, two]) == 1
    assert passages.ids() == [one, two]


def test_search_among_what_is_deleted_and_after_it_came_back(passages):
    (one,) = passages.add([new("西湖")]).ids
    passages.delete([one])
    assert found(passages, "西湖") == []
    assert passages.ids(PassageFilter(text="西湖", deleted=True)) == [one]
    passages.restore([one])
    assert found(passages, "西湖") == ["西湖"]


def test_a_deleted_passage_may_be_added_again_but_not_stand_twice(passages):
    (one,) = passages.add([new("西湖")]).ids
    (other,) = passages.add([new("断桥")]).ids
    passages.delete([one, other])
    (again,) = passages.add([new("西湖")]).ids
    with pytest.raises(ConflictError):
        passages.restore([other, one])
    assert passages.ids() == [again]


def test_neighbours_follow_the_filter(passages):
    ids = passages.add([new("西湖一"), new("断桥"), new("西湖二"), new("西湖三")]).ids
    wanted = PassageFilter(text="西湖")
    assert passages.neighbours(ids[2], wanted) == (ids[0], ids[3])
    assert passages.neighbours(ids[0], wanted) == (None, ids[2])
    assert passages.neighbours(0, wanted) == (None, ids[0])
    assert passages.neighbours(ids[3], wanted) == (ids[2], None)


def test_pages_and_counts_agree(passages):
    ids = passages.add([new(str(number)) for number in range(7)]).ids
    wanted = PassageFilter()
    pages = [passages.page(wanted, offset=offset, limit=3) for offset in (0, 3, 6)]
    assert [summary.passage.id for page in pages for summary in page] == list(ids)
    assert passages.count() == 7


def test_statuses_are_counted_and_filtered(db, passages, new_image):
    one, two, three, gone = passages.add([new(str(number)) for number in range(4)]).ids
    annotations = Annotations(db)
    annotations.save(two, AnnotationValue(), Status.DRAFT, version=0, who="甲", why="edited")
    annotations.save(three, AnnotationValue(), Status.NEW, version=0, who="甲", why="edited")
    passages.delete([gone])
    counts = passages.status_counts()
    assert counts[Status.NEW] == 2 and counts[Status.DRAFT] == 1
    assert set(counts) == set(Status) and sum(counts.values()) == passages.count()
    assert passages.ids(PassageFilter(status=Status.NEW)) == [one, three]
    assert passages.ids(PassageFilter(status=Status.DRAFT)) == [two]
    kept, deleted = new_image(1), new_image(2)
    Pairs(db).add([(two, kept.id, ""), (two, deleted.id, "")], who="甲")
    Images(db).delete(deleted.id)
    (summary,) = passages.page(PassageFilter(status=Status.DRAFT))
    assert (summary.status, summary.images) == (Status.DRAFT, 1)


def test_found_again_by_text_and_by_the_file_s_own_id(passages):
    one, two = passages.add([new("西湖", source="夢粱錄", file_id="7"), new("断桥", file_id="7")]).ids
    assert [passage.id for passage in passages.by_text("西湖")] == [one]
    assert [passage.id for passage in passages.by_file_id("梦粱录", "7")] == [one]
    passages.delete([one])
    assert passages.by_text("西湖") == [] and passages.by_file_id("梦粱录", "7") == []
    assert passages.by_file_id("咸淳临安志", "7")[0].id == two


@pytest.mark.parametrize("asked", [0, -1, 99, 10**30])
def test_a_passage_that_never_was(passages, asked):
    with pytest.raises(NotFoundError):
        passages.get(asked)
