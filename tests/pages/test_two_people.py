"""Two people at one record, and what a person typed last before she went away: nothing is lost, nothing overwritten."""

from dataclasses import replace

import pytest

from core.errors import ConflictError
from db.images import Images
from db.passages import Passages
from workbench.components.shell import plain, plain_details
from workbench.tasks.images import describe_picture
from workbench.tasks.passages import correct_passage


def test_two_corrections_of_one_passage_never_overwrite_each_other(filled):
    db = filled.open()
    seen = Passages(db).get(2)
    correct_passage(db, replace(seen, edition="文渊阁本"), who="甲", seen=seen)
    correct_passage(db, replace(seen, text=seen.text + "甲"), who="乙", seen=seen)
    stored = Passages(db).get(2)
    assert (stored.edition, stored.text) == ("文渊阁本", seen.text + "甲")
    with pytest.raises(ConflictError, match="passage_changed"):
        correct_passage(db, replace(seen, text=seen.text + "丙", page="1"), who="丙", seen=seen)
    assert Passages(db).get(2) == stored
    revisions = len(Passages(db).earlier_texts(2))
    correct_passage(db, replace(seen), who="丁", seen=seen)
    assert len(Passages(db).earlier_texts(2)) == revisions, "nothing changed is nothing stored"


def test_two_descriptions_of_one_picture_never_overwrite_each_other(filled):
    db = filled.open()
    seen = Images(db).get(1)
    describe_picture(db, replace(seen, title="断桥"), seen=seen)
    describe_picture(db, replace(seen, source="馆藏"), seen=seen)
    assert (Images(db).get(1).title, Images(db).get(1).source) == ("断桥", "馆藏")
    with pytest.raises(ConflictError, match="image_changed"):
        describe_picture(db, replace(seen, title="雷峰", note="x"), seen=seen)
    assert (Images(db).get(1).title, Images(db).get(1).note) == ("断桥", "")


@pytest.mark.parametrize("drawn", ["http://", "www.", "WWW.", "a@b", ":smile:"])
def test_what_markdown_would_still_draw_is_kept_apart(drawn):
    """Streamlit looks for addresses and :names: after the escapes have gone."""
    assert drawn not in plain(f"{drawn}example.org").replace("\\", "")


def test_names_and_titles_in_sentences_are_text():
    assert plain("![x](y)") == "\\!\\[x\\]\\(y\\)"
    assert plain_details(ConflictError("annotation_changed", who="**甲**"))["who"] == "\\*\\*甲\\*\\*"


@pytest.mark.parametrize("address", ["run?run", "review?id"])
def test_an_address_somebody_made_up_is_drawn_as_text(filled, open_page, address):
    page, name = address.split("?")
    file = {"run": "model/run.py", "review": "texts/review.py"}[page]
    app = open_page(file, **{name: "![x](http://127.0.0.1/x.png)" if page == "run" else "9" * 25})
    assert app.error and not any("![" in error.value for error in app.error)
