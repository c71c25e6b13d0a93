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
