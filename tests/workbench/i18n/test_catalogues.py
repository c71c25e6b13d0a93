"""Both catalogues hold every sentence that the code can ask for, and nothing else."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import core.errors
from core.records import JobState
from core.texts.annotation import Certainty, EntityClass, Status
from workbench.i18n import LANGUAGES, catalogue
from workbench.jobs.kinds import KINDS
from workbench.tasks.annotating import PROVIDERS
from workbench.tasks.datasets import CAPTION_KINDS
from workbench.tasks.images import CATEGORIES

ROOT = Path(__file__).parents[3]
SAYING = {"t", "say", "translate"}
RAISED = {name for name, value in vars(core.errors).items() if isinstance(value, type)}

FAMILIES = {
    "status": tuple(Status),
    "jobs.state": tuple(JobState),
    "jobs.kind": tuple(KINDS),
    "classes": get_args(EntityClass),
    "certainty": get_args(Certainty),
    "categories": CATEGORIES,
    "providers": PROVIDERS,
    "captions": CAPTION_KINDS,
    "splits": ("train", "valid", "test"),
    "train": ("lora", "full"),
    "charts": ("t2i", "i2t"),
    "check": ("database", "offsets", "picture"),
}
"""Keys that are put together from a closed list: each of the list must have its sentence."""


@cache
def trees() -> list[tuple[str, ast.Module]]:
    files = [
        ROOT / "Home.py",
        *(f for room in ("core", "db", "workbench", "pages") for f in (ROOT / room).rglob("*.py")),
    ]
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))) for file in files]


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call by where it stands and the last part of its name."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield f"{name}:{node.lineno}", called, node


def literals(node: ast.expr) -> list[str]:
    """The strings an expression can be: itself, or either side of a choice."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


@cache
def asked() -> dict[str, tuple[str, set[str] | None]]:
    """Every key that code asks for by its full name: where, and the details it gives (None: not to be seen)."""
    found: dict[str, tuple[str, set[str] | None]] = {}
    for where, called, node in calls():
        if called in SAYING and node.args:
            keys, position = literals(node.args[0]), 2 if called == "translate" else 1
        elif called == "report" and len(node.args) >= 3:
            keys, position = literals(node.args[2]), 3
        elif called in RAISED and node.args:
            keys, position = [f"errors.{code}" for code in literals(node.args[0])], 1
        else:
            keys = [
                f"errors.{code}"
                for keyword in node.keywords
                if keyword.arg == "error"
                for code in literals(keyword.value)
                if code
            ]
            position = -1
        names = {keyword.arg for keyword in node.keywords if keyword.arg}
        seen = position >= 0 and all(keyword.arg for keyword in node.keywords) and len(node.args) <= position
        if called == "report":
            names |= {"done", "total"}
        for key in keys:
            found[f"{key} {where}"] = (key, names if seen else None)
    return found


@cache
def constants() -> frozenset[str]:
    """Every string in the code that is not a part of an f-string."""
    joined = [node for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    return frozenset(
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
    )


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """What f-strings can become that look like keys: ``f"status.{code}"`` gives ``status\\..+``."""
    found = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values]
                if re.fullmatch(r"[a-z_]+\\\.[a-z0-9_.+\\]*", "".join(parts)):
                    found.add("".join(parts))
    return tuple(re.compile(pattern) for pattern in sorted(found))


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_a_sentence_stands_in_both_languages_with_the_same_details():
    for key, entry in catalogue().items():
        assert set(entry) == set(LANGUAGES), key
        assert all(sentence.strip() for sentence in entry.values()), key
        assert placeholders(entry["zh"]) == placeholders(entry["en"]), key
        assert "" not in placeholders(entry["zh"]), f"{key}: placeholders have names"


def test_every_key_that_is_asked_for_has_its_sentence():
    missing = [place for place, (key, _) in asked().items() if key not in catalogue()]
    assert not missing, "\n".join(missing)


def test_keys_kept_in_tables_have_their_sentence():
    """A key need not stand in a call: whatever begins like a family that only the catalogues have is one."""
    families = {key.split(".")[0] for key in catalogue()} - {"demo", "run", "images", "search"}
    like_keys = {c for c in constants() if re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", c) and c.split(".")[0] in families}
    files = (".py", ".json", ".jsonl", ".toml", ".csv", ".css", ".js", ".zip", ".lock", ".log")
    assert not {key for key in like_keys if key not in catalogue() and not key.endswith(files)}


def test_a_sentence_gets_the_details_it_names():
    """What a call leaves out would be shown as … to the reader."""
    given: dict[str, list[tuple[str, set[str]]]] = {}
    for place, (key, names) in asked().items():
        if names is not None and key in catalogue():
            given.setdefault(key, []).append((place, names))
    nameless = {"errors.encoding_unknown", "errors.encoding_damaged"}  # found by decode(), the caller adds the file
    wrong = [
        f"{place} lacks {lacking}"
        for key, places in given.items()
        if key not in nameless
        for place, names in places
        if (lacking := placeholders(catalogue()[key]["en"]) - names)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_of_a_closed_list_has_its_name(family):
    missing = [f"{family}.{member}" for member in FAMILIES[family] if f"{family}.{member}" not in catalogue()]
    assert not missing, missing


def test_a_key_put_together_can_mean_something():
    for pattern in patterns():
        family = pattern.pattern.split("\\.")[0]
        if any(key.startswith(f"{family}.") for key in catalogue()):
            assert any(pattern.fullmatch(key) for key in catalogue()), pattern.pattern


def test_no_sentence_is_left_that_nobody_asks_for():
    used = {key for key, _ in asked().values()} | constants()
    idle = [key for key in catalogue() if key not in used and not any(p.fullmatch(key) for p in patterns())]
    idle = [key for key in idle if not key.startswith(("errors.", "why.")) or key.split(".", 1)[1] not in constants()]
    assert not idle, "\n".join(idle)
