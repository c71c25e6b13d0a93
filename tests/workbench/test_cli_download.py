"""``songclip models``: what is here, and fetching what is not, over a real HTTP server."""

import importlib.util
from pathlib import Path

import pytest

FILE = "clip_cn_vit-b-16.pt"
_spec = importlib.util.spec_from_file_location(
    "hub_server", Path(__file__).parents[1] / "core" / "model" / "hub_server.py"
)
hub_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub_server)


@pytest.fixture
def hub(monkeypatch):
    with hub_server.Hub(b"weights" * 200_000) as server:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_a_model_is_fetched_once_and_listed(songclip, home, hub):
    target = home.weights / FILE
    before = {row["model"]: row for row in songclip("models", "list", "--json").document["models"]}
    assert list(before) == ["mini", "RN50", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14"]
    assert before["mini"]["present"] and not before["ViT-B-16"]["present"]
    assert (before["ViT-B-16"]["file"], before["ViT-B-16"]["path"]) == (FILE, str(target))
    got = songclip("models", "download", "ViT-B-16", "--json").document
    assert got == {
        "model": "ViT-B-16",
        "path": str(target),
        "size": hub.size,
        "fetched": True,
        "source": "huggingface",
        "sha256": hub.sha256,
    }
    assert target.read_bytes() == hub.content
    again = songclip("models", "download", "ViT-B-16", "--json").document
    assert (again["fetched"], again["source"]) == (False, None)
    after = {row["model"]: row for row in songclip("models", "list", "--json").document["models"]}
    assert (after["ViT-B-16"]["present"], after["ViT-B-16"]["size"]) == (True, hub.size)


def test_lines_say_what_is_here_and_how_to_get_the_rest(songclip, home, hub):
    lines = songclip("models", "list").out.splitlines()
    assert len(lines) == 6 and "mini.safetensors" in lines[0]
    assert FILE in lines[2] and str(home.weights) in lines[2] and "songclip models download ViT-B-16" in lines[2]
    assert "SHA-256" in songclip("models", "download", "ViT-B-16").out


def test_mistakes_are_one_line(songclip, home, hub, monkeypatch):
    assert songclip("models", "download", "mini").mistake("comes with the program")
    assert songclip("models", "download", "ViT-Z").mistake("ViT-H-14")
    assert songclip("models", "download", "ViT-B-16", "--from", "elsewhere").code == 2
    hub.sha256 = "0" * 64
    assert songclip("models", "download", "ViT-B-16").mistake("SHA-256")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    offline = songclip("models", "download", "ViT-B-16")
    assert offline.mistake(str(home.weights)) and FILE in offline.err and "--from modelscope" in offline.err
    assert [p.name for p in home.weights.iterdir() if not p.name.startswith(".")] == []
