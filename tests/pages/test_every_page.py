"""Each page in both languages, on an empty home and on one with records at every stage."""

import pytest

from workbench.navigation import ENTRIES

VISIBLE = [entry for entry in ENTRIES if not entry.hidden]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("entry", VISIBLE, ids=lambda entry: entry.address)
def test_an_empty_home_breaks_no_page(home, open_page, entry, language):
    app = open_page(entry.file, language)
    assert not app.exception
    assert not app.error
    assert app.title[0].value


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("entry", VISIBLE, ids=lambda entry: entry.address)
def test_a_home_with_records_breaks_no_page(filled, open_page, entry, language):
    app = open_page(entry.file, language)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("entry", VISIBLE, ids=lambda entry: entry.address)
def test_every_page_shows_no_bare_key(filled, open_page, entry):
    """A catalogue key that has no sentence would be shown as itself."""
    app = open_page(entry.file, "en")
    shown = [str(element.value) for kind in (app.title, app.caption, app.markdown, app.info) for element in kind]
    shown += [element.label for kind in (app.button, app.selectbox, app.text_input) for element in kind]
    sections = {name.split(".")[0] for name in _keys()}
    for text in shown:
        head = text.split(".")[0]
        assert not ("." in text and " " not in text and head in sections), text


def _keys() -> list[str]:
    from workbench.i18n import catalogue

    return list(catalogue())
