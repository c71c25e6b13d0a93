"""A passage in a CJK serif with its entities marked; characters can be selected.

Our own component, because those that exist count UTF-16 units or use inclusive ends; the text goes in as data and is
drawn with ``textContent``, never as HTML.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from core.texts.annotation import AnnotationValue, Span

_FOLDER = Path(__file__).parent
_view = st.components.v2.component(
    "songclip_passage_view",
    css=(_FOLDER / "passage_view.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "passage_view.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def passage_view(text: str, value: AnnotationValue, *, key: str, labels: dict[str, str]) -> Span | None:
    """Draw the passage; returns the selected characters as code-point offsets (end exclusive), or None.

    ``labels`` are the names of the entity classes for the legend and the tooltips.
    """
    marks = [
        {
            "start": start,
            "end": end,
            "kind": entity.kind,
            "name": f"{entity.name} · {labels.get(entity.kind, '')}",
        }
        for entity in value.entities
        for start, end in entity.mentions
    ]
    result: Any = _view(
        key=key,
        data={"text": text, "marks": marks},
        default={"selection": None},
        on_selection_change=lambda: None,
    )
    selected = result.get("selection") if hasattr(result, "get") else getattr(result, "selection", None)
    if not selected:
        return None
    start, end = int(selected[0]), int(selected[1])
    return (start, end) if 0 <= start < end <= len(text) else None
