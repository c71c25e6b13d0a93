"""Two people at one record, and what a person typed last before she went away: nothing is lost, nothing overwritten."""

from dataclasses import replace

import pytest

from core.errors import ConflictError
from core.texts.annotation import Status
from db.annotations import Annotations
from db.images import Images
from db.passages import Passages
from workbench.components.shell import plain, plain_details
from workbench.tasks.images import describe_picture
from workbench.tasks.passages import correct_passage


def button(app, label):
    return next(element for element in app.button if label in element.label)


def area(app, label):
    return next(element for element in app.text_area if element.label == label)


def test_what_was_typed_last_is_saved_when_the_same_click_goes_on(filled, open_page):
    """Leaving a field and pressing a button reach the server as one run, which draws the next passage."""
    app = open_page("texts/review.py", id="2")
    area(app, "English").input("Baoyou Bridge")
    sitting = app.session_state["sitting"]
    app.session_state[sitting.key("entities")] = {"edited_rows": {0: {"note": "今在孤山"}}}
    button(app, "Next").click().run()
    assert not app.exception
    saved = Annotations(filled.open()).get(2)
    assert saved.value.english == "Baoyou Bridge"
    assert "3" in app.query_params["id"]
    assert [revision.why for revision in Annotations(filled.open()).history(2)] == ["edited", "edited", "suggested"]


def test_approving_against_a_colleague_is_refused_with_a_sentence(filled, open_page):
    app = open_page("texts/review.py", id="2")
    annotations = Annotations(filled.open())
    theirs = annotations.get(2)
    annotations.save(2, theirs.value, Status.SUBMITTED, revision=theirs.revision, who="![x](y)", why="submitted")
    area(app, "English").input("Baoyou Bridge").run()
    button(app, "Approve").click().run()
    assert not any("Something broke" in error.value for error in app.error)
    assert sum("changed this passage" in error.value for error in app.error) == 1
    assert "\\!\\[x\\]" in app.error[0].value, "a name is text, not a picture to fetch"
    assert Annotations(filled.open()).get(2).status is Status.SUBMITTED


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
