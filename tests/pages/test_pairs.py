"""The pairs page: connect, refuse, take back, and what a model finds."""

from db.images import Pairs
from tests.training_home import fill


def button(app, key):
    return next(element for element in app.button if element.key == key)


def keys(app, prefix):
    return [element.key for element in app.button if (element.key or "").startswith(prefix)]


def ids(images):
    return [image.id for image in images]


def test_a_picture_is_refused_and_taken_back(filled, open_page):
    app = open_page("images/pairs.py")
    assert keys(app, "unpair-") == ["unpair-1-1", "unpair-1-2"] and keys(app, "pair-") == ["pair-1-3"]
    button(app, "refuse-1-3").click().run()
    pairs = Pairs(filled.open())
    assert ids(pairs.images_of(1)) == [1, 2] and ids(pairs.images_of(1, refused=True)) == [3]
    assert any(expander.label == "Refused: 1" for expander in app.expander)
    assert any(expander.label == "已否定 1 幅" for expander in open_page("images/pairs.py", "zh").expander)
    button(app, "refuse-1-2").click().run()
    assert ids(pairs.images_of(1)) == [1] and ids(pairs.images_of(1, refused=True)) == [2, 3]
    button(app, "back-1-3").click().run()
    button(app, "pair-1-2").click().run()
    assert not app.exception
    assert ids(pairs.images_of(1)) == [1, 2] and ids(pairs.images_of(1, refused=True)) == []
    assert keys(app, "pair-") == ["pair-1-3"] and not keys(app, "back-")


def test_what_a_model_finds_is_offered_best_first_without_what_was_decided(home, open_page):
    fill(home)
    app = open_page("images/pairs.py")
    next(group for group in app.get("button_group") if group.key == "pairs-find").set_value("alike").run()
    assert not app.exception
    offered = keys(app, "pair-1-")
    assert len(offered) == 15 and "pair-1-1" not in offered, "all pictures but its own"
    captions = [caption.value for caption in app.caption if caption.value[:1].isdigit() and " · " in caption.value]
    scores = [float(caption.rsplit(" · ", 1)[1].replace("\\", "")) for caption in captions]
    assert scores == sorted(scores, reverse=True) and len(scores) == 15
    first = offered[0].replace("pair", "refuse")
    button(app, first).click().run()
    (refused,) = Pairs(home.open()).all(refused=True)
    assert first == f"refuse-{refused.passage_id}-{refused.image_id}"
    assert keys(app, "pair-1-") == offered, "it stands among the refused now, and can be connected after all"
    assert first not in keys(app, "refuse-1-")
    button(app, offered[1]).click().run()
    assert sorted(ids(Pairs(home.open()).images_of(1))) == sorted([1, int(offered[1].rsplit("-", 1)[1])])


def test_a_disconnection_is_taken_back_with_its_note(filled, open_page):
    pairs = Pairs(filled.open())
    pairs.remove(1, 2)
    pairs.add([(1, 2, "the left scroll")], who="test")
    app = open_page("images/pairs.py")
    button(app, "unpair-1-2").click().run()
    assert ids(pairs.images_of(1)) == [1]
    button(app, "undo-disconnect").click().run()
    assert [(pair.image_id, pair.note) for pair in pairs.all()] == [(1, ""), (2, "the left scroll")]
    assert not any(element.key == "undo-disconnect" for element in app.button)


def test_the_passage_is_in_the_address_and_one_goes_on_from_it(filled, open_page):
    app = open_page("images/pairs.py", id="3")
    assert app.selectbox(key="pairs-passage").value == 3
    button(app, "pairs-next").click().run()
    assert app.query_params["id"] == "4" and button(app, "pairs-next").disabled
    button(app, "pairs-previous").click().run()
    app.selectbox(key="pairs-passage").set_value(2).run()
    assert app.query_params["id"] == "2" and not app.exception
    for nonsense in ("99", "x", ""):
        assert open_page("images/pairs.py", id=nonsense).selectbox(key="pairs-passage").value == 1


def test_only_passages_without_pictures_are_shown_and_one_stays_when_it_gets_its_first(filled, open_page):
    app = open_page("images/pairs.py")
    app.toggle(key="pairs-unpaired").set_value(True).run()
    chosen = app.selectbox(key="pairs-passage")
    assert chosen.value == 2 and len(chosen.options) == 3
    button(app, "pair-2-3").click().run()
    assert app.selectbox(key="pairs-passage").value == 2, "there is more to connect to it"
    button(app, "pairs-next").click().run()
    assert app.selectbox(key="pairs-passage").value == 3
    assert len(app.selectbox(key="pairs-passage").options) == 2


def test_a_model_that_is_asked_nothing_says_so(filled, open_page):
    app = open_page("images/pairs.py")
    next(group for group in app.get("button_group") if group.key == "pairs-find").set_value("alike").run()
    app.text_input(key="pairs-asked-1").set_value(" ").run()
    assert any("Type what" in info.value for info in app.info)


def test_only_tables_that_can_be_read_are_taken(filled, open_page):
    (uploader,) = open_page("images/pairs.py").get("file_uploader")
    assert set(uploader.proto.type) == {".csv", ".tsv"}
