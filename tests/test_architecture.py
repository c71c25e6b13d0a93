"""The house keeps its shape: who may import whom, read from the syntax trees."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("core", "db", "workbench", "pages")
FOREIGN = {
    "core": {"streamlit", "sqlite3", "sqlite_utils"},
    "db": {"streamlit", "torch"},
    "pages": {"sqlite3", "sqlite_utils", "torch", "lmdb", "cn_clip", "openai"},
    "workbench": set(),
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the house by its dotted name."""
    found = {}
    for file in [ROOT / "Home.py", *(f for floor in FLOORS for f in (ROOT / floor).rglob("*.py"))]:
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text(encoding="utf-8"), file.name)
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST, *, at_start: bool = False) -> set[str]:
    """What a module imports, functions included; with ``at_start`` only what runs when it is imported itself."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif at_start and (isinstance(node, ast.FunctionDef) or is_type_checking(node)):
            continue
        else:
            names |= imported(node, at_start=at_start)
    return names


def tops(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_run_one_way(floor):
    above = {*FLOORS[FLOORS.index(floor) + 1 :], "Home", "tests"}
    for name, tree in modules().items():
        if name.split(".")[0] == floor:
            wrong = tops(imported(tree)) & (above | FOREIGN[floor])
            assert not wrong, f"{name} imports {wrong}"


def test_texts_stand_on_the_ground_and_demo_at_the_top():
    for name, tree in modules().items():
        of_core = {other for other in imported(tree) if other.startswith("core.")}
        if name.startswith("core.texts"):
            assert all(other.startswith(("core.texts", "core.errors", "core.progress")) for other in of_core), name
        if name in ("core.errors", "core.progress"):
            assert all(other.startswith("core.errors") for other in of_core), name
        if name.startswith("core") and not name.startswith("core.demo"):
            assert not any(other.startswith("core.demo") for other in of_core), name


def test_no_module_needs_itself():
    """No cycle, not even between imports inside functions."""
    graph = {name: (imported(tree) & modules().keys()) - {name} for name, tree in modules().items()}
    for name, others in graph.items():  # a package is imported for what stands in its __init__ only
        others -= {other for other in others if name.startswith(f"{other}.")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_starting_the_command_loads_no_heavy_library():
    """What every command pays for: no torch, streamlit or pandas behind the imports that run at start."""
    seen, todo = set(), ["workbench.cli"]
    while todo:
        name = todo.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        names = imported(modules()[name], at_start=True)
        wrong = tops(names) & {"torch", "torchvision", "streamlit", "pandas", "cn_clip", "openai"}
        assert not wrong, f"{name} imports {wrong}"
        todo += names


def test_pages_are_short_and_stand_in_sub_folders():
    """A flat page opened first on a cold server would run without Home.py."""
    for file in (ROOT / "pages").rglob("*.py"):
        if file.name != "__init__.py":
            assert len(file.relative_to(ROOT / "pages").parts) == 2, file
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 160, file
    assert len((ROOT / "Home.py").read_text(encoding="utf-8").splitlines()) <= 20


def test_no_text_is_drawn_as_html():
    for name, tree in modules().items():
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.keyword) and node.arg == "unsafe_allow_html"), name


def test_every_package_says_what_it_is():
    for floor in FLOORS:
        folders = {file.parent for file in (ROOT / floor).rglob("*.py")}
        for folder in folders - {ROOT / "pages" / stage for stage in ("texts", "images", "model", "search", "system")}:
            file = folder / "__init__.py"
            assert file.is_file() and ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), folder
