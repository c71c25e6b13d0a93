"""The strength beside the search, and what each strength won and hurt beside the figures, in both languages."""

import json
from urllib.parse import parse_qsl

import pytest

from core.progress import Silent
from core.records import JobState
from db.jobs import Jobs
from tests.tuned_home import PARAMS, tuned_home
from workbench.i18n import translate
from workbench.jobs.running import run_job, submit
from workbench.tasks.datasets import build
from workbench.tasks.evaluating import measure
from workbench.tasks.searching import search
from workbench.tasks.strengths import FILE, GENERAL, measure_along, measurements, suggested

WORDS = {
    "zh": {
        "what": "0 是未微调的基础模型",
        "title": "微调的得与失",
        "suggested": "建议强度",
        "half": "强度 0.5",
    },
    "en": {
        "what": "0 is the base model",
        "title": "What tuning won and what it hurt",
        "suggested": "Suggested: strength",
        "half": "strength 0.5",
    },
}
QUERY = "湖上石桥"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tuned_home(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def tuned(made, monkeypatch):
    home, runs = made
    monkeypatch.setenv("SONGCLIP_HOME", str(home.path))
    monkeypatch.delenv("SONGCLIP_OWN_HOME", raising=False)
    return home, runs


def said(app):
    return [element.value for kind in (app.caption, app.markdown, app.info) for element in kind]


def titles(app):
    """The pictures in the order shown, by the line under each."""
    return [value for value in said(app) if value[:1].isdigit() and " · " in value]


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()


def sides_of(app):
    """What the columns of a comparison are called."""
    return [text.value.replace("\\", "").strip("*") for text in app.markdown if text.value.startswith("**")]


def slider(app):
    return app.slider[0] if len(app.slider) else None


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_slider_stands_beside_a_tuned_model_only_and_says_what_it_does(tuned, open_page, language):
    app = open_page("search/browse.py", language, run=tuned[1]["lora"])
    assert not app.exception and slider(app).value == 1.0
    assert any(WORDS[language]["what"] in text for text in said(app))
    app = open_page("search/browse.py", language, run="")
    assert slider(app) is None and not any(WORDS[language]["what"] in text for text in said(app))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_is_searched_at_a_strength_stands_in_the_address(tuned, open_page, method):
    _, runs = tuned
    app = open_page("search/browse.py", "en", run=runs[method], q=QUERY, strength="0.5")
    assert slider(app).value == 0.5
    assert any(f"Found with {runs[method]} at strength 0.5" in text.replace("\\", "") for text in said(app))
    slider(app).set_value(0.0).run()
    assert app.query_params["strength"] == "0.5", "nothing is read anew before it is asked for"
    press(app, "Search")
    assert app.query_params["strength"] == "0" and slider(app).value == 0.0
    slider(app).set_value(1.0).run()
    press(app, "Search")
    assert "strength" not in app.query_params
    assert not any("at strength" in text for text in said(app))


def test_a_second_search_is_for_what_was_typed_and_chosen_last(tuned, open_page):
    _, runs = tuned
    app = open_page("search/browse.py", "en", run=runs["full"], q=QUERY)
    for text, run in (("山寺秋雨", runs["lora"]), ("江村渔舟", ""), ("园中宫殿", runs["full"])):
        app.selectbox[0].set_value(run).run()
        next(field for field in app.text_input if field.label == "A phrase").set_value(text)
        press(app, "Search")
        assert (app.query_params["q"], app.query_params["run"]) == (text, run)
        assert app.selectbox[0].value == run


def test_the_pictures_shown_are_those_of_the_strength(tuned, open_page):
    home, runs = tuned
    db = home.open()
    for strength in (0.0, 0.5, 1.0):
        shown = open_page("search/browse.py", "en", run=runs["full"], q=QUERY, strength=f"{strength:g}")
        scores = [value.replace("\\", "").rsplit(" ", 1)[-1] for value in titles(shown)]
        expected = search(home, db, QUERY, run=runs["full"], strength=strength)
        assert [float(score) for score in scores] == pytest.approx([hit.score for hit in expected], abs=0.001)
    base = [hit.image.id for hit in search(home, db, QUERY, model="mini")]
    assert [hit.image.id for hit in search(home, db, QUERY, run=runs["full"], strength=0.0)] == base


@pytest.mark.parametrize("strength", ["", "0.5", "0"])
def test_base_and_tuned_stand_side_by_side_by_one_click(tuned, open_page, strength):
    home, runs = tuned
    db = home.open()
    app = open_page("search/browse.py", "en", run=runs["full"], q=QUERY, **({"strength": strength} if strength else {}))
    app.toggle(key="browse-beside").set_value(True).run()
    assert not app.exception and app.query_params["beside"] == "1"
    at = float(strength or 1) or 1.0
    sides = [search(home, db, QUERY, run=runs["full"], strength=one, top=12) for one in (0.0, at)]
    lines = [f"{hit.rank} · {hit.image.title} · {hit.score:.3f}" for side in sides for hit in side]
    assert [text.replace("\\", "") for text in titles(app)] == lines
    heads = sides_of(app)
    assert heads == ["base model (not tuned)", runs["full"] if at == 1 else f"{runs['full']} · strength 0.5"]
    app.toggle(key="browse-beside").set_value(False).run()
    assert "beside" not in app.query_params and not sides_of(app)
    assert len(sides_of(open_page("search/browse.py", "en", run=runs["full"], q=QUERY, beside="1"))) == 2
    assert not sides_of(open_page("search/browse.py", "en", run="", q=QUERY, beside="1"))


@pytest.mark.parametrize("asked", ["2", "-1", "nan", "half", ""])
def test_nonsense_in_the_address_is_as_tuned(tuned, open_page, asked):
    app = open_page("search/browse.py", "en", run=tuned[1]["lora"], q=QUERY, strength=asked)
    assert not app.exception and not app.error and slider(app).value == 1.0


@pytest.mark.parametrize("language", ["zh", "en"])
def test_results_name_the_strength_where_it_is_not_whole(tuned, open_page, language):
    home, runs = tuned
    db = home.open()
    for asked in ({"model": "mini"}, {"run": runs["lora"]}, {"run": runs["lora"], "strength": 0.5}):
        measure(home, db, "lake", **asked, progress=Silent())
    app = open_page("model/results.py", language)
    assert not app.exception and not app.error
    names = list(app.dataframe[0].value.iloc[:, 0])
    assert runs["lora"] in names and f"{runs['lora']} · {WORDS[language]['half']}" in names
    assert len(names) == 4, "zero-shot, at half, as tuned, chance"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_chart_along_the_strength_with_what_was_won_and_hurt(tuned, open_page, language):
    home, runs = tuned
    db = home.open()
    measured = measure_along(home, db, runs["full"], "far", Silent())
    app = open_page("model/results.py", language)
    assert not app.exception and not app.error
    assert WORDS[language]["title"] in [header.value for header in app.subheader]
    run, untouched = app.selectbox[-2], app.selectbox[-1]
    assert run.options == [runs["full"], runs["lora"]]
    assert untouched.value == "far" and len(untouched.options) == 2, "a second dataset comes before generated scenes"
    check(app, measured, "R@5", language)
    chart = json.loads(app.get("vega_lite_chart")[-1].proto.spec)
    marks = [layer["mark"]["type"] for layer in chart["layer"]]
    assert marks.count("area") == 1 and marks.count("line") == 2 and marks.count("rule") == 1
    assert chart["layer"][0]["encoding"]["x"]["axis"]["labelExpr"] == "datum.value", "0.25 and not 0.3"


def check(app, measured, figure, language):
    """Sentence, table and door for one figure."""
    best = suggested(measured, figure)
    assert any(WORDS[language]["suggested"] in text and figure in text for text in said(app))
    table = app.dataframe[-1].value
    assert list(table.iloc[:, 0]) == ["0", "0.25", "0.5", "0.75", "1"]
    for row, at in enumerate(measured["along"]):
        assert table.iloc[row, 1].startswith(f"{at['tuned']['t2i'][figure]:.1f} ")
        change = at["untouched"]["change"][figure]["difference"]
        assert table.iloc[row, 4].startswith(f"{change:+.1f} " if row else "–")
    links = [link.proto.query_string for link in app.get("page_link")]
    assert f"run={measured['run']}&strength={best:g}" in links


def test_another_figure_may_suggest_another_strength(tuned, open_page):
    home, runs = tuned
    measured = measure_along(home, home.open(), runs["full"], "far", Silent())
    app = open_page("model/results.py", "en")
    picker = next(group for group in app.get("button_group") if group.key == "strength-k")
    picker.set_value("R@1").run()
    assert not app.exception
    check(app, measured, "R@1", "en")


def test_measuring_is_queued_once_and_watched_where_it_was_asked(tuned, open_page):
    home, runs = tuned
    app = open_page("model/results.py", "en")
    app.selectbox[-2].set_value(runs["lora"]).run()
    app.selectbox[-1].set_value(GENERAL).run()
    assert any("pre-trained for" in text for text in said(app))
    press(app, "Measure")
    press(app, "Measure")
    (job,) = Jobs(home.open()).page(kind="strength", active=True)
    assert (job.params, job.lane) == ({"run": runs["lora"], "untouched": GENERAL}, "gpu")
    assert any("Measure along the strength" in text for text in said(app))
    Jobs(home.open()).cancel(job.id)


def test_for_a_released_model_generated_scenes_are_called_a_stand_in(tuned, open_page):
    home, runs = tuned
    db = home.open()
    db.execute("UPDATE runs SET model = 'ViT-B-16' WHERE name = ?", [runs["lora"]])
    try:
        app = open_page("model/results.py", "en")
        app.selectbox[-2].set_value(runs["lora"]).run()
        assert not any("stand-in" in text for text in said(app))
        app.selectbox[-1].set_value(GENERAL).run()
        assert any("only a stand-in" in text for text in said(app))
    finally:
        db.execute("UPDATE runs SET model = 'mini' WHERE name = ?", [runs["lora"]])


def test_a_dataset_without_runs_has_no_such_part(tuned, open_page):
    app = open_page("model/results.py", "en")
    app.selectbox[0].set_value("far").run()
    assert WORDS["en"]["title"] not in [header.value for header in app.subheader]


def test_what_was_measured_is_kept_in_the_runs_folder(tuned):
    home, runs = tuned
    measure_along(home, home.open(), runs["lora"], "far", Silent())
    assert (home.experiments / runs["lora"] / FILE).is_file()
    assert "far" in measurements(home, home.open(), runs["lora"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_measurement_that_is_done_has_a_door_to_where_it_is_seen(tuned, open_page, language):
    """To the very run on its own dataset, when another run and another dataset come first in the lists."""
    home, runs = tuned
    db = home.open()
    build(home, db, PARAMS | {"name": "newest", "statuses": ["draft"]}, Silent())
    try:
        queued = submit(home, Jobs(db), "strength", {"run": runs["lora"], "untouched": "far"})
        app = open_page("system/jobs.py", language, job=str(queued.id))
        assert not doors(app)
        assert run_job(home, queued.id).state is JobState.DONE
        app = open_page("system/jobs.py", language, job=str(queued.id))
        (door,) = doors(app)
        assert door.proto.label == translate("pages.results", language)
        app = open_page("model/results.py", language, **dict(parse_qsl(door.proto.query_string)))
        assert not app.exception and app.selectbox[0].value == "lake"
        assert (app.selectbox[-2].value, app.selectbox[-1].value) == (runs["lora"], "far")
        check(app, measurements(home, db, runs["lora"])["far"], "R@5", language)
    finally:
        db.execute("DELETE FROM datasets WHERE name = 'newest'")


def doors(app):
    return [link for link in app.get("page_link") if link.proto.page.endswith("results")]
