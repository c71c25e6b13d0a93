"""The block for annotations.json, on a page of its own: out, in, and each conflict with the way to its passage."""

import json
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.texts.annotation import Status
from db.annotations import Annotations
from db.passages import Passages
from workbench.tasks.interchange import annotations_json

SCRIPT = """
import streamlit as st
from workbench.components.annotations_file import annotations_file
from workbench.components.shell import page

def block():
    with page("review") as app:
        annotations_file(app)

st.navigation([st.Page(block, default=True), st.Page("pages/texts/review.py")]).run()
"""


@pytest.fixture
def block(tmp_path):
    """Open the block in a language."""
    main = tmp_path / "app" / "Main.py"
    (main.parent / "pages" / "texts").mkdir(parents=True)
    (main.parent / "pages" / "texts" / "review.py").touch()
    main.write_text(SCRIPT, encoding="utf-8")

    def open_(language="en"):
        app = AppTest.from_file(str(main), default_timeout=60)
        app.query_params["lang"] = language
        return app.run()

    return open_


def take(app, data, status=None):
    app.file_uploader[0].upload("annotations.json", data, "application/json").run()
    if status:
        next(e for e in app.button_group if e.key == "annotations-as").set_value(status).run()
    next(button for button in app.button if button.key == "annotations-take").click().run()
    assert not app.exception
    return app


def test_a_conflict_is_listed_with_the_way_to_its_passage(filled, block):
    db = filled.open()
    item = json.loads(annotations_json(filled, (Status.APPROVED,)))[0]
    before = Annotations(db).get(1)
    app = take(block(), json.dumps([item | {"english": "*Theirs*", "source": "梦[粱]录"}]).encode())
    assert "1 differ" in app.info[0].value
    (link,) = app.get("page_link")
    assert "Passage 1" in link.proto.label and "English differ" in link.proto.label
    assert (link.proto.page, link.proto.query_string) == ("review", "id=1")
    assert Annotations(db).get(1) == before
    assert Annotations(db).unmerged(1)[0].value.english == "*Theirs*"
    # The report stays while the file lies there, and goes with it.
    assert app.run().info
    app.file_uploader[0].clear().run()
    assert not app.info and not app.get("page_link")


def test_what_cannot_be_taken_is_said_and_the_rest_is_imported(filled, block):
    db = filled.open()
    item = json.loads(annotations_json(filled, (Status.DRAFT,)))[0]
    new = item | {"original_text": "<b>新</b>段落", "entities": [], "relations": [], "status": "submitted"}
    broken = item | {"original_text": " "}
    app = take(block(), json.dumps([new, broken]).encode(), Status.APPROVED)
    assert "1 imported" in app.info[0].value
    assert len(app.error) == 1 and "annotations" in app.error[0].value
    assert Annotations(db).get(5).status is Status.APPROVED


def test_suggestions_of_a_file_are_not_approved_and_that_is_said(filled, block):
    db = filled.open()
    data = annotations_json(filled, (Status.SUGGESTED,))
    app = take(block("zh"), data, Status.APPROVED)
    assert any(caption.value.startswith("其中 1 条在文件里是机器建议") for caption in app.caption)
    assert Annotations(db).get(3).status is Status.SUGGESTED


def test_text_of_a_file_is_drawn_as_text(filled, block):
    db = filled.open()
    passage = Passages(db).get(1)
    Passages(db).update(replace(passage, source="![x](http://e.org/x.png)"), who="test")
    item = json.loads(annotations_json(filled, (Status.APPROVED,)))[0]
    app = take(block("zh"), json.dumps([item | {"english": "Theirs"}]).encode())
    label = app.get("page_link")[0].proto.label
    assert "\\!\\[x\\]" in label and "英文译文与已有的校订不同" in label


def test_a_file_that_is_none_says_so_and_changes_nothing(filled, block):
    app = take(block(), b"{")
    assert len(app.error) == 1
    assert not app.info


def test_without_a_status_there_is_nothing_to_download(filled, block):
    app = block()
    assert not app.download_button[0].disabled
    app.multiselect[0].set_value([]).run()
    assert app.download_button[0].disabled
