"""Quality: the models' suggestions held against what scholars approved, and side by side."""

import altair as alt
import pandas as pd
import streamlit as st

from core.texts.annotation import CLASSES, AnnotationValue, Status
from core.texts.vocabulary import PLACE_TYPES, place_type
from db.annotations import Annotations
from db.passages import PassageFilter, Passages
from db.suggestions import Suggestions
from workbench.components.passage_view import passage_view
from workbench.components.shell import App, current_language, page, plain, t
from workbench.tasks.quality import report

TEXTS = ("spatial_relation", "modern_chinese", "english", "search_prompt")
SHARES = ("precision", "recall", "f1", "exact_f1", "modern_chinese_edit", "english_edit")


def type_name(kind: str, code: str) -> str:
    """A type in the reader's language; a class for entities that are no places."""
    if not kind:
        return t("quality.all_types")
    known = code in {row.code for row in PLACE_TYPES}
    name: str = getattr(place_type(code), current_language()) if known else code
    return name if kind == "place" else t(f"classes.{kind}")


def report_tab(app: App) -> None:
    """The table over all, the table by type, and the plot."""
    rows = report(app.db)
    if not rows:
        st.info(t("quality.none"))
        return
    frame = pd.DataFrame(rows)
    frame["name"] = [type_name(row["kind"], row["type"]) for row in rows]
    for title, part in (("tab_report", frame[frame["kind"] == ""]), ("type", frame[frame["kind"] != ""])):
        st.subheader(t(f"quality.{title}"))
        columns = ["provider", "model", "prompt", "name", "passages", *SHARES]
        columns = columns if title == "type" else [c for c in [*columns, "untouched"] if c != "name"]
        names = {column: t(f"quality.{'type' if column == 'name' else column}") for column in columns}
        config = {names[c]: st.column_config.NumberColumn(format="percent") for c in SHARES if c in columns}
        st.dataframe(part[columns].rename(columns=names), hide_index=True, column_config=config)
    st.caption(t("quality.note"))
    frame["who"] = frame["model"] + " · " + frame["prompt"]
    chart = (
        alt.Chart(frame[(frame["kind"] != "") & (frame["approved"] > 0)])
        .mark_bar()
        .encode(
            x=alt.X("name:N", title=None, sort="-y"),
            y=alt.Y("f1:Q", title=t("quality.f1"), scale=alt.Scale(domain=[0, 1])),
            xOffset="who:N",
            color=alt.Color("who:N", title=None, legend=alt.Legend(orient="bottom")),
            tooltip=["who", "name", "f1", "precision", "recall", "approved"],
        )
        .properties(height=280)
    )
    st.altair_chart(chart, width="stretch")


def draw_value(text: str, value: AnnotationValue, key: str) -> None:
    """One reading: the passage marked, and the four texts."""
    passage_view(text, value, key=key, labels={kind: t(f"classes.{kind}") for kind in CLASSES})
    st.caption("、".join(plain(entity.name) for entity in value.entities) or "—")
    for name in TEXTS:
        st.markdown(f"**{t(f'desk.{name}')}**")
        st.text(getattr(value, name) or "—")


def compare_tab(app: App) -> None:
    """Two suggestions of one passage, or a suggestion and the scholar's value."""
    _, first = Passages(app.db).neighbours(0, PassageFilter())
    if first is None:
        st.info(t("passages.none"))
        return
    asked = st.query_params.get("id", "")
    number = st.number_input(t("quality.passage"), 1, value=int(asked) if asked.isdecimal() else first)
    passage = Passages(app.db).get(int(number))
    annotation = Annotations(app.db).get(passage.id)
    readings: dict[str, AnnotationValue] = {}
    if annotation.status not in (Status.NEW, Status.SUGGESTED):
        readings[t("quality.scholar")] = annotation.value
    for suggestion in Suggestions(app.db).of(passage.id):
        if suggestion.value is not None:
            name = f"#{suggestion.id} {suggestion.model} {suggestion.prompt_version} {suggestion.created_at[:16]}"
            readings[name] = suggestion.value
    if len(readings) < 2:
        st.info(t("quality.too_few"))
        return
    for position, column in enumerate(st.columns(2)):
        with column:
            side = t("quality.left") if position == 0 else t("quality.right")
            chosen = st.selectbox(side, list(readings), index=position, key=f"side-{position}-{passage.id}")
            draw_value(passage.text, readings[chosen], f"compare-{position}-{passage.id}-{hash(chosen)}")


with page("quality") as app:
    reported, compared = st.tabs([t("quality.tab_report"), t("quality.tab_compare")])
    with reported:
        report_tab(app)
    with compared:
        compare_tab(app)
