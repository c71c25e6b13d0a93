"""What tests of several rooms share: a home of their own and its database, both real."""

import logging

import pytest

from db.home import Home


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "clip_data")


@pytest.fixture
def db(home):
    db = home.open()
    yield db
    db.conn.close()


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch):
    """No setting of the machine's reaches a test, and no test leaves its log file open."""
    for name in ("HOME", "LANGUAGE", "ADDRESS", "PORT", "DEVICE", "PROVIDER", "UPLOAD_ROOT", "LOG_LEVEL", "OWN_HOME"):
        monkeypatch.delenv(f"SONGCLIP_{name}", raising=False)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        if isinstance(handler, logging.FileHandler):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
