import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
MODULES = [*(ROOT / "core" / "texts").glob("*.py"), *(ROOT / "core" / "annotation").glob("*.py")]


def sentences(name: str) -> dict[str, Any]:
    file = ROOT / "workbench" / "i18n" / "catalogue" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def named(pattern: str) -> set[str]:
    return {code for path in MODULES for code in re.findall(pattern, path.read_text(encoding="utf-8"))}


def test_every_error_of_the_texts_has_its_sentence_in_both_languages() -> None:
    texts = sentences("texts_core")["errors"]
    annotation = sentences("annotation_core")["errors"]
    catalogues = (ROOT / "workbench" / "i18n" / "catalogue").glob("*.toml")
    known = {code for file in catalogues for code in sentences(file.stem).get("errors", {})}
    raised = named(r'InputError\(\s*"(\w+)"')
    assert set(texts) <= raised <= known
    assert set(annotation) <= raised | named(r'ProviderError\(\s*"(\w+)"')
    for sentence in (*texts.values(), *annotation.values()):
        assert set(sentence) == {"zh", "en"}
        assert set(re.findall(r"{(\w+)}", sentence["en"])) <= {*re.findall(r"{(\w+)}", sentence["zh"]), "length"}


def test_every_problem_of_a_reply_has_its_sentence() -> None:
    problems = sentences("annotation_core")["problems"]
    assert named(r'Problem\(\s*"(\w+)"') == set(problems)
    assert {field for s in problems.values() for field in re.findall(r"{(\w+)}", s["zh"])} == {"name", "label"}
