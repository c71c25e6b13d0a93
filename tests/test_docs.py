"""What the READMEs say exists: commands, options, make targets, files."""

import re
import shlex
from pathlib import Path

import click
import pytest

from core.training.presets import PRESETS
from workbench.cli import songclip

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh.md")
PAGES = (*READMES, "docs/architecture.md", "CHANGELOG.md")


@pytest.mark.parametrize("name", READMES)
def test_every_command_of_a_readme_is_one(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    songclip ")]
    assert len(lines) > 8
    for line in lines:
        group: click.Command = songclip
        words = shlex.split(line)[1:]
        while isinstance(group, click.Group):
            assert words[0] in group.commands, line
            group = group.commands[words.pop(0)]
        known = {option for parameter in group.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("name", READMES)
def test_the_commands_of_a_readme_follow_from_each_other(name):
    """A strength needs a run, and a run's name is the one that the first training before it gives."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("    songclip ")]
    trained = next(words for words in lines if words[1] == "train")
    rank = PRESETS[trained[trained.index("--preset") + 1]].lora.rank
    named = [words[words.index("--run") + 1] for words in lines if "--run" in words]
    assert len(named) >= 2 and set(named) == {f"0001-lora-r{rank}"}
    assert all("--run" in words for words in lines if "--strength" in words)
    made = {words[3] for words in lines if words[1:3] == ["dataset", "build"]}
    assert {words[words.index("--dataset") + 1] for words in lines if "--dataset" in words} == made


@pytest.mark.parametrize("name", READMES)
def test_every_make_target_of_a_readme_is_one(name):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = set(re.findall(r"`?make ([a-z0-9]+)`?", (ROOT / name).read_text(encoding="utf-8")))
    assert {"run", "test", "check", "e2e", "bench"} <= said <= targets


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_is_linked_is_there(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_both_readmes_show_the_same_figures():
    numbers = [sorted(re.findall(r"\d+(?:\.\d+)?", part)) for part in map(figures, READMES)]
    assert numbers[0] == numbers[1]


def figures(name: str) -> str:
    text = (ROOT / name).read_text(encoding="utf-8")
    tables = re.findall(r"<!-- figures -->(.*?)<!-- end -->", text, re.DOTALL)
    assert tables, name
    return "".join(re.findall(r"^\|.*$", tables[0], re.MULTILINE)[2:])


def test_the_architecture_names_every_dependency():
    said = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").replace("_", "-")
    for line in re.findall(r'^    "([a-z-]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE):
        assert line in said, line
