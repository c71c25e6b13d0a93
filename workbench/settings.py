"""One typed settings object: environment first, then ``songclip.toml`` in the home, then defaults."""

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core.errors import InputError
from db.home import Home

HOME_VARIABLE = "SONGCLIP_HOME"
DEFAULT_HOME = Path("clip_data")
DEMO_HOME = Path("demo_data")
DEMO_DATASET = "demo"


@dataclass(frozen=True)
class Settings:
    """What can be set; ``origin`` says for each name where its value came from."""

    language: str = ""
    address: str = "127.0.0.1"
    port: int = 8501
    device: str = "auto"
    provider: str = "offline"
    log_level: str = "INFO"
    origin: dict[str, str] = field(default_factory=dict, compare=False)


NAMES = tuple(setting.name for setting in fields(Settings) if setting.name != "origin")


def variable(name: str) -> str:
    """The environment variable of a setting: SONGCLIP_PORT for ``port``."""
    return f"SONGCLIP_{name.upper()}"


def load_settings(home: Path) -> Settings:
    """Read the settings of a home; raises InputError naming the file or variable that cannot be read."""
    values: dict[str, Any] = {}
    origin = dict.fromkeys(NAMES, "default")
    file = home / "songclip.toml"
    if file.is_file():
        try:
            stored = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError("settings_unreadable", file=file.name, reason=str(error)) from error
        for name in NAMES:
            if name in stored:
                values[name], origin[name] = _typed(name, stored[name], file.name), file.name
    for name in NAMES:
        if os.environ.get(variable(name)):
            values[name] = _typed(name, os.environ[variable(name)], variable(name))
            origin[name] = variable(name)
    return Settings(**values, origin=origin)


_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "language": lambda value: value in ("", "zh", "en"),
    "port": lambda value: 0 < value < 65536,
    "log_level": lambda value: value in ("DEBUG", "INFO", "WARNING", "ERROR"),
}


def _typed(name: str, value: Any, where: str) -> Any:
    kind = type(getattr(Settings, name))
    try:
        # The environment holds text only; a table or a list in the file is no setting.
        typed = kind(value) if isinstance(value, str) or type(value) is kind else None
    except ValueError:
        typed = None
    if typed is None or not _ALLOWED.get(name, lambda _: True)(typed):
        raise InputError("setting_invalid", name=name, where=where)
    return typed


def default_home() -> Path:
    """The home that commands work on: SONGCLIP_HOME, else clip_data."""
    if os.environ.get(HOME_VARIABLE):
        return Path(os.environ[HOME_VARIABLE])
    return DEFAULT_HOME


def home_to_run() -> Path:
    """Like :func:`default_home`, but the demo home while nobody has begun a project of their own."""
    chosen = default_home()
    return chosen if HOME_VARIABLE in os.environ or Home(chosen).begun() else DEMO_HOME
