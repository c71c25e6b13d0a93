import pytest

from core.errors import InputError
from workbench import i18n
from workbench.i18n import environment_language, explain, language_of, translate


def test_a_sentence_is_filled_in_the_language_asked_for():
    assert translate("errors.job_not_found", "en", id=7) == "There is no job 7."
    assert translate("errors.job_not_found", "zh", id=7) == "没有编号为 7 的任务。"
    assert explain(InputError("job_not_found", id=7), "en") == "There is no job 7."


def test_what_cannot_be_said_does_not_break_the_page(monkeypatch):
    assert translate("nowhere.at_all", "zh") == "nowhere.at_all"
    assert translate("errors.job_not_found", "en") == "There is no job …."
    sentence = {"zh": "{share:.1f}", "en": "{share:.1f}"}
    monkeypatch.setattr(i18n, "catalogue", lambda: {"some.key": sentence})
    assert translate("some.key", "en") == "…"
    assert translate("some.key", "en", share=0.25) == "0.2"


def test_details_are_filled_in_as_text_never_as_a_template():
    assert "{id}" in translate("errors.image_not_found", "en", image="{id}")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh-CN", "zh"), ("zh_TW.UTF-8", "zh"), ("ZH", "zh"), ("en-GB", "en"), ("de", "en"), ("", "en"), (None, "en")],
)
def test_a_locale_means_one_of_the_two(locale, language):
    assert language_of(locale) == language


def test_the_command_line_speaks_the_language_of_the_shell(monkeypatch):
    for name in ("SONGCLIP_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert environment_language() == "en"
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert environment_language() == "zh"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert environment_language() == "en"
    monkeypatch.setenv("SONGCLIP_LANGUAGE", "zh")
    assert environment_language() == "zh"
