"""A passage in a CJK serif with its entities marked, to be read; the desk is where it is edited.

It is drawn by the desk's own scripts: code points, overlapping marks on lines of their own, ``textContent`` and never
HTML.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from core.texts.annotation import AnnotationValue, EntityClass
from workbench.components.desk.component import read

_DRAW = """
export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".songclip-passage");
  if (!root) {
    root = document.createElement("div");
    root.className = "songclip-passage";
    root.lang = "zh";
    parentElement.appendChild(root);
  }
  const drawn = JSON.stringify(data);
  if (root.dataset.drawn === drawn) return;
  root.dataset.drawn = drawn;
  drawMarked(root, data.text, data.marks);
}
"""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "songclip_passage_view", css=read("marks.css"), js=read("keeping.js", "spans.js") + _DRAW, isolate_styles=False
    )


def passage_view(text: str, value: AnnotationValue, *, key: str, labels: Mapping[EntityClass, str]) -> None:
    """Draw the passage; ``labels`` are the names of the entity classes for the tooltips."""
    marks = [
        {
            "start": start,
            "end": end,
            "kind": entity.kind,
            "doubt": entity.certainty != "certain",
            "name": f"{entity.name} · {labels.get(entity.kind, '')}",
        }
        for entity in value.entities
        for start, end in entity.mentions
    ]
    _component()(key=key, data={"text": text, "marks": marks})
