"""The ``songclip`` command on a home of its own, and small files to give it."""

import io
import json

import pytest
from click.testing import CliRunner
from PIL import Image

from workbench.cli import songclip as command

RAW = [
    {"id": 1, "source": "梦粱录", "chapter": "卷八·德寿宫", "text": "德寿宫在望仙桥东，元系秦太师赐第。"},
    {"id": 2, "source": "夢粱錄", "chapter": "卷十二·西湖", "text": "杭城之西，有湖曰西湖，旧名钱塘。"},
    {"id": 3, "source": "武林旧事", "chapter": "卷五", "text": "断桥又名段家桥。"},
]


class Said:
    """What one invocation came to: exit code, what stood on each stream, and the JSON document."""

    def __init__(self, result):
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        self.exception = result.exception

    @property
    def document(self):
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    def mistake(self, part=""):
        """A person's mistake: exit 1, nothing on standard output, one line on standard error."""
        assert (self.code, self.out) == (1, ""), (self.code, self.out, self.err)
        assert self.err.count("\n") == 1 and "Traceback" not in self.err and "…" not in self.err, self.err
        assert part in self.err
        return True


@pytest.fixture
def songclip(home):
    """A function that runs a command line on ``home``."""

    def run(*arguments, at=None):
        line = ["--home", str(at or home.path), *map(str, arguments)]
        return Said(CliRunner().invoke(command, line, catch_exceptions=False))

    return run


@pytest.fixture
def raw_texts(tmp_path):
    file = tmp_path / "raw_texts.json"
    file.write_text(json.dumps(RAW, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture
def picture_file(tmp_path):
    """A function that writes a picture of one colour, a square of another in it."""

    def write(name, colour, size=(96, 64)):
        image = Image.new("RGB", size, colour)
        image.paste(tuple(255 - part for part in colour), (20, 10, 50, 40))
        file = tmp_path / "pictures" / name
        file.parent.mkdir(exist_ok=True)
        out = io.BytesIO()
        image.save(out, file.suffix.removeprefix(".").replace("jpg", "jpeg"))
        file.write_bytes(out.getvalue())
        return file

    return write
