"""The overview: progress by source, by person and by day, only where there is some."""

import pytest

from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.passages import Passages


def headings(app):
    return [element.value for element in app.subheader]


def charts(app):
    return app.get("vega_lite_chart")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_empty_home_shows_no_empty_tables(home, open_page, language):
    app = open_page("system/overview.py", language)
    assert len(headings(app)) == 1
    assert not app.dataframe and not charts(app)


def test_passages_nobody_has_touched_show_their_sources_alone(home, open_page):
    Passages(home.open()).add([NewPassage("梦粱录", "", "西湖")])
    app = open_page("system/overview.py")
    assert headings(app)[1:] == ["By source"]
    (works,) = app.dataframe
    assert works.value.to_dict("list") == {
        "work": ["梦粱录"],
        "share": [0],
        "passages": [1],
        "submitted": [0],
        "draft": [0],
        "suggested": [0],
        "new": [1],
    }
    assert not charts(app)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_was_done_is_shown_by_source_by_person_and_by_day(filled, open_page, language):
    db = filled.open()
    Passages(db).add([NewPassage("武林旧事", "", "酒楼")])
    Annotations(db).save(3, AnnotationValue(), Status.SUBMITTED, version=1, who="**沈**", why="submitted")
    app = open_page("system/overview.py", language)
    assert not app.exception and not app.error
    works, people = (table.value for table in app.dataframe)
    assert list(works["work"]) == ["梦粱录", "武林旧事"]
    assert list(works["share"]) == [25, 0]
    assert (list(works["passages"]), list(works["submitted"]), list(works["draft"])) == ([4, 1], [1, 0], [1, 0])
    assert people[["who", "passages", "approved"]].values.tolist() == [["test", 2, 1], ["**沈**", 1, 0]]
    assert len(charts(app)) == 1


def test_a_thousand_works_are_shown_ten_at_a_time(home, open_page):
    passages = [NewPassage(f"书{number}", "", "西湖") for number in range(1000)]
    Passages(home.open()).add([*passages, NewPassage("书7", "", "又")])
    app = open_page("system/overview.py")
    (works,) = app.dataframe
    assert len(works.value) == 10
    assert works.value["work"][0] == "书7"
    app.session_state["works-page"] = 100
    app.run()
    assert len(app.dataframe[0].value) == 10
    assert "书7" not in list(app.dataframe[0].value["work"])
