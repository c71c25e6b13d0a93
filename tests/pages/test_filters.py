"""The filter in the address: read, written, sent, and left alone where it is somebody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotation.provider import Reply
from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.passages import Passages
from db.queue import ORDERS, PassageFilter
from db.suggestions import Suggestions
from workbench.components.filters import filter_from_address, filter_to_address


@pytest.fixture
def queue(filled):
    """Besides the four passages of 梦粱录: one of another work that 沈 has begun and m1 has read."""
    db = filled.open()
    (passage_id,) = Passages(db).add([NewPassage("武林旧事", "卷一", "西湖天下景，朝昏晴雨。")]).ids
    Suggestions(db).add(Passages(db).get(passage_id), Reply(AnnotationValue(), "{}", "local", "m1"))
    version = Annotations(db).get(passage_id).version
    Annotations(db).save(passage_id, AnnotationValue(), Status.DRAFT, version=version, who="沈", why="edited")
    return passage_id


def widget(app, kind, name):
    return next(element for element in getattr(app, kind) if element.key == f"review-{name}")


def shown(app):
    selected = {name: widget(app, "selectbox", name).value for name in ("work", "status", "who", "model", "order")}
    return {"text": widget(app, "text_input", "text").value, **selected}


def address(app):
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


NOTHING = {"text": "", "work": "", "status": "", "who": "", "model": "", "order": "source"}


def test_an_address_that_was_sent_opens_its_filter(queue, open_page):
    sent = {"q": "西湖", "work": "武林旧事", "status": "draft", "who": "沈", "model": "m1", "order": "agreement"}
    app = open_page("texts/review.py", "zh", **sent, flags="stale,problems")
    assert not app.exception
    assert shown(app) == {"text": "西湖", **{name: sent[name] for name in NOTHING if name in sent}}
    assert sorted(widget(app, "pills", "flags").value) == ["problems", "stale"]
    assert {name: value for name, value in address(app).items() if name in sent} == sent
    assert address(app)["flags"] == "problems,stale"


def test_what_is_chosen_stands_in_the_address_beside_the_rest(queue, open_page):
    app = open_page("texts/review.py", id="2")
    app.query_params["other"] = "kept"
    assert set(address(app)) >= {"id", "lang"}
    before = address(app)
    widget(app, "selectbox", "who").select("沈").run()
    widget(app, "pills", "flags").select("disputed").run()
    widget(app, "text_input", "text").input(" 西湖 ").run()
    assert address(app) == {**before, "who": "沈", "flags": "disputed", "q": "西湖"}
    widget(app, "selectbox", "who").select("").run()
    widget(app, "pills", "flags").unselect("disputed").run()
    widget(app, "text_input", "text").input("").run()
    assert address(app) == before
    assert not app.exception


def test_what_is_not_known_in_an_address_is_left_out(queue, open_page):
    strange = {"work": "无此书", "status": "Draft", "who": "<b>", "model": "𠀋", "flags": "stale,x,,", "order": "by"}
    app = open_page("texts/review.py", **strange)
    assert not app.exception and not app.error
    assert shown(app) == NOTHING
    assert widget(app, "pills", "flags").value == ["stale"]
    assert {name: value for name, value in address(app).items() if name in strange} == {"flags": "stale"}


def test_another_address_on_the_same_page_changes_the_widgets(queue, open_page):
    app = open_page("texts/review.py", status="draft")
    app.query_params["status"] = "approved"
    app.query_params["order"] = "problems"
    app.run()
    assert shown(app) == NOTHING | {"status": "approved", "order": "problems"}
    del app.query_params["status"]
    del app.query_params["order"]
    app.run()
    assert shown(app) == NOTHING


def test_a_choice_made_before_the_browser_has_the_new_address_is_not_lost(queue, open_page):
    app = open_page("texts/review.py")
    late = dict(app.query_params)
    widget(app, "selectbox", "status").select("draft").run()
    app.query_params.clear()
    app.query_params.update(late)
    widget(app, "selectbox", "who").select("沈").run()
    assert shown(app) == NOTHING | {"status": "draft", "who": "沈"}
    assert (address(app)["status"], address(app)["who"]) == ("draft", "沈")


def test_what_is_filtered_is_said_and_cleared_by_a_click(queue, open_page):
    app = open_page("texts/review.py")
    assert not said(app)
    for name, value in {"q": "*西湖*", "work": "武林旧事", "status": "draft", "who": "沈", "order": "problems"}.items():
        app.query_params[name] = value
    app.query_params["flags"] = "stale"
    app.run()
    words = "“\\*西湖\\*” · 武林旧事 · draft · Person 沈 · are out of date · most problems first"
    assert said(app) == [f"Filtered: {words}"]
    widget(app, "button", "clear").click().run()
    assert not app.exception and not said(app)
    assert shown(app) == NOTHING and not widget(app, "pills", "flags").value
    assert set(address(app)) <= {"lang"}
    # She stays at the passage that she was looking at, and the queue around it is all there is.
    app.query_params["work"] = "武林旧事"
    app.run()
    widget(app, "button", "clear").click().run()
    assert shown(app) == NOTHING and address(app)["id"] == str(queue)


def said(app):
    return [caption.value for caption in app.caption if caption.value.startswith("Filtered")]


def test_the_filter_is_there_when_one_comes_back_without_an_address(queue, open_page):
    app = open_page("texts/review.py", q="西湖", flags="problems")
    app.switch_page("pages/texts/passages.py")
    app.query_params.clear()
    app.run()
    assert "q" not in app.query_params
    app.query_params["id"] = str(queue)
    app.switch_page("pages/texts/review.py").run()
    assert shown(app) == NOTHING | {"text": "西湖"}
    assert (address(app)["q"], address(app)["flags"], address(app)["id"]) == ("西湖", "problems", str(queue))
    app.switch_page("pages/texts/passages.py").run()
    app.query_params.clear()
    app.query_params["status"] = "draft"
    app.switch_page("pages/texts/review.py").run()
    assert shown(app) == NOTHING | {"status": "draft"}


@pytest.mark.parametrize("file", ["texts/passages.py", "texts/annotate.py", "images/pairs.py"])
def test_other_pages_leave_the_address_alone_and_have_one_row(queue, open_page, file):
    app = open_page(file, q="断桥", order="problems")
    key = file.split("/")[1].removesuffix(".py")
    text = next(element for element in app.text_input if element.key == f"{key}-text")
    assert text.value == ""
    text.input("西湖").run()
    assert (address(app)["q"], address(app)["order"]) == ("断桥", "problems")
    assert not [element for element in app.selectbox if element.key == f"{key}-who"]
    app.switch_page("pages/system/settings.py").run()
    app.switch_page(f"pages/{file}").run()
    assert next(element for element in app.text_input if element.key == f"{key}-text").value == "西湖"


filters = st.builds(
    PassageFilter,
    text=st.text("西湖 𠮷,&=", max_size=4).map(str.strip),
    work=st.sampled_from(["", "梦粱录"]),
    status=st.sampled_from([None, *Status]),
    who=st.sampled_from(["", "沈,林", "a&b"]),
    model=st.sampled_from(["", "qwen:8b"]),
    problems=st.booleans(),
    disputed=st.booleans(),
    stale=st.booleans(),
    order=st.sampled_from(ORDERS),
)


@given(filters)
def test_an_address_says_the_whole_filter(wanted):
    asked = filter_to_address(wanted)
    assert "" not in asked.values()
    known = {"works": ["梦粱录"], "names": ["沈,林", "a&b"], "models": ["qwen:8b"]}
    assert filter_from_address(asked, **known) == wanted
