"""How good the models' suggestions were, by what scholars approved."""

from dataclasses import asdict
from typing import Any

from sqlite_utils import Database

from core.annotation.agreement import compare, summarise
from core.texts.annotation import Status
from db.annotations import Annotations
from db.passages import text_hash
from db.suggestions import Suggestions


def report(db: Database) -> list[dict[str, Any]]:
    """The lines of the report: for each provider, model and prompt version all types together, then each type.

    A model's newest suggestion on the passage's present text is held against the approved value.
    """
    suggestions = Suggestions(db).readable()
    rows = []
    for passage, annotation in Annotations(db).with_status([Status.APPROVED]):
        newest = {}
        for suggestion in suggestions.get(passage.id, []):
            if suggestion.text_hash == text_hash(passage.text):
                newest[suggestion.provider, suggestion.model, suggestion.prompt_version] = suggestion
        for (provider, model, prompt), suggestion in newest.items():
            assert suggestion.value is not None
            rows.append(compare(suggestion.value, annotation.value, provider=provider, model=model, prompt=prompt))
    return [asdict(line) for line in summarise(rows)]
