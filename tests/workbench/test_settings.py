from pathlib import Path

import pytest

from core.errors import InputError
from db.home import Home
from workbench.settings import NAMES, Settings, default_home, home_to_run, load_settings


@pytest.fixture
def toml(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "songclip.toml").write_bytes(text.encode(encoding))
        return tmp_path

    return write


def test_without_anything_the_defaults_hold(tmp_path):
    settings = load_settings(tmp_path)
    assert settings == Settings()
    assert settings.address == "127.0.0.1"
    assert settings.origin == dict.fromkeys(NAMES, "default")


def test_environment_before_file_before_default(toml, monkeypatch):
    home = toml('port = 9000\nlanguage = "zh"\nunknown = 1\n')
    monkeypatch.setenv("SONGCLIP_PORT", "9100")
    monkeypatch.setenv("SONGCLIP_DEVICE", "")
    settings = load_settings(home)
    assert (settings.port, settings.language, settings.device) == (9100, "zh", "auto")
    origin = settings.origin
    assert (origin["port"], origin["language"], origin["device"]) == ("SONGCLIP_PORT", "songclip.toml", "default")


def test_a_file_with_a_mark_at_its_beginning_is_read(toml):
    assert load_settings(toml('language = "zh"', "utf-8-sig")).language == "zh"


@pytest.mark.parametrize("data", ["port = = 1", 'language = "中'])
def test_a_file_that_cannot_be_read_is_named(toml, data):
    with pytest.raises(InputError) as raised:
        load_settings(toml(data))
    assert (raised.value.code, raised.value.details["file"]) == ("settings_unreadable", "songclip.toml")


def test_a_file_in_another_encoding_is_named(toml):
    with pytest.raises(InputError) as raised:
        load_settings(toml('language = "中"', "gb18030"))
    assert raised.value.code == "settings_unreadable"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", '"eight"'),
        ("port", "0"),
        ("port", "99999"),
        ("port", "true"),
        ("port", "[8501]"),
        ("address", "{a = 1}"),
        ("log_level", '"LOUD"'),
        ("language", '"de"'),
    ],
)
def test_a_value_that_cannot_be_used_is_named(toml, name, value):
    with pytest.raises(InputError) as raised:
        load_settings(toml(f"{name} = {value}"))
    assert raised.value.code == "setting_invalid"
    assert raised.value.details == {"name": name, "where": "songclip.toml"}


def test_a_variable_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SONGCLIP_PORT", "http")
    with pytest.raises(InputError) as raised:
        load_settings(tmp_path)
    assert raised.value.details == {"name": "port", "where": "SONGCLIP_PORT"}


def test_which_home_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (default_home(), home_to_run()) == (Path("clip_data"), Path("demo_data"))
    Path("clip_data").mkdir()
    Path("clip_data", "songclip.db").touch()
    assert home_to_run() == Path("demo_data"), "nobody has put anything into it"
    home = Home(Path("clip_data"))
    home.mark(home.open(), "person")
    assert home_to_run() == Path("clip_data")
    monkeypatch.setenv("SONGCLIP_HOME", "elsewhere")
    assert default_home() == home_to_run() == Path("elsewhere")
