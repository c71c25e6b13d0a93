import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_error_of_the_texts_has_its_sentence_in_both_languages() -> None:
    catalogue = ROOT / "workbench" / "i18n" / "catalogue" / "texts_core.toml"
    sentences = tomllib.loads(catalogue.read_text(encoding="utf-8"))["errors"]
    modules = [*(ROOT / "core" / "texts").glob("*.py"), *(ROOT / "core" / "annotation").glob("*.py")]
    raised = {
        code for path in modules for code in re.findall(r'InputError\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert raised == set(sentences)
    for sentence in sentences.values():
        assert set(sentence) == {"zh", "en"}
        assert set(re.findall(r"{(\w+)}", sentence["en"])) <= {*re.findall(r"{(\w+)}", sentence["zh"]), "length"}
