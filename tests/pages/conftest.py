"""Pages run by AppTest on a real home: empty, or with a few records at every stage."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.annotation.rules import OfflineRules
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.home import Home
from db.images import Pairs
from db.passages import Passages
from db.suggestions import Suggestions
from workbench.tasks.images import add_picture

ROOT = Path(__file__).parents[2]
TEXTS = (
    "德寿宫在望仙桥东，元系秦太师赐第。",
    "西湖孤山路曰宝佑桥，俗呼断桥。",
    "大内正门曰丽正，其门有三，皆金钉朱户。",
    "杭城之西有湖曰西湖，旧名钱塘湖。",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    home.open().conn.close()
    monkeypatch.setenv("SONGCLIP_HOME", str(home.path))
    monkeypatch.delenv("SONGCLIP_OWN_HOME", raising=False)
    return home


def png(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (40 * number, 90, 160)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def filled(home: Home) -> Home:
    """Four passages (approved, draft, suggested, new) and three pictures, two of them with the first passage."""
    db = home.open()
    ids = Passages(db).add([NewPassage("梦粱录", "卷八", text) for text in TEXTS]).ids
    for passage_id in ids[:3]:
        passage = Passages(db).get(passage_id)
        Suggestions(db).add(passage, OfflineRules().suggest(passage))
    for passage_id, status in ((ids[0], Status.APPROVED), (ids[1], Status.DRAFT)):
        value = Suggestions(db).of(passage_id)[0].value
        assert value
        Annotations(db).save(passage_id, value, status, version=1, who="test", why="edited")
    images = [add_picture(home, db, f"p{n}.png", png(n), {"title": f"画 {n}"})[0] for n in range(3)]
    Pairs(db).add([(ids[0], images[0].id, ""), (ids[0], images[1].id, "")], who="test")
    return home


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Open a page by its file below pages/, in a language, with query parameters."""

    def open_(file: str, language: str = "en", **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=60)
        app.query_params["lang"] = language
        app.run()
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"pages/{file}").run()
        return app

    return open_
