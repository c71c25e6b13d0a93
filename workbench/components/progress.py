"""Progress by source, by person and by day, as the overview shows it."""

from datetime import date, timedelta
from typing import Any, TypeVar

import altair as alt
import pandas as pd
import streamlit as st

from core.texts.annotation import Status
from db.people import Day, PersonProgress, WorkProgress
from workbench.components.shell import t

ROWS, SHORTEST = 10, 30
"""Rows of a table's page, and days the plot spans at least, so that one day does not fill it."""

ON_THE_WAY = (Status.SUBMITTED, Status.DRAFT, Status.SUGGESTED, Status.NEW)
Row = TypeVar("Row")


def _page(rows: list[Row], key: str) -> tuple[Any, list[Row]]:
    """The place of a table, and its rows of the page that is chosen below it."""
    place = st.container()
    pages = -(-len(rows) // ROWS)
    number = st.pagination(pages, key=key) if pages > 1 else 1
    return place, rows[(number - 1) * ROWS : number * ROWS]


def _heading(status: Status) -> str:
    return t(f"status.{status.value}").capitalize()


def works_table(works: list[WorkProgress]) -> None:
    """Each work with the share of its passages that is approved, and how many are on the way."""
    place, shown = _page(works, "works-page")
    columns = {
        "work": [work.title for work in shown],
        "share": [100 * work.counts.get(Status.APPROVED, 0) / work.passages for work in shown],
        "passages": [work.passages for work in shown],
        **{status.value: [work.counts.get(status, 0) for work in shown] for status in ON_THE_WAY},
    }
    number = st.column_config.NumberColumn
    config = {
        "work": t("people.work"),
        "share": st.column_config.ProgressColumn(_heading(Status.APPROVED), format="%d%%", min_value=0, max_value=100),
        "passages": number(t("people.passages"), format="localized", width=80),
        **{status.value: number(_heading(status), format="localized", width=80) for status in ON_THE_WAY},
    }
    place.dataframe(pd.DataFrame(columns), hide_index=True, column_config=config)


def people_table(people: list[PersonProgress]) -> None:
    """Each person with the passages she changed, as bars of one scale, and those of them that are approved."""
    place, shown = _page(people, "people-page")
    table = pd.DataFrame(
        {
            "who": [person.who for person in shown],
            "passages": [person.passages for person in shown],
            "approved": [person.approved for person in shown],
            "last_day": [person.last_day for person in shown],
        }
    )
    most = max(person.passages for person in people)
    config = {
        "who": st.column_config.TextColumn(t("people.who"), width=200),
        "passages": st.column_config.ProgressColumn(
            t("people.changed"), format="localized", min_value=0, max_value=most
        ),
        "approved": st.column_config.NumberColumn(t("people.approved"), format="localized", width=120),
        "last_day": st.column_config.TextColumn(t("people.last_day"), width=120),
    }
    place.dataframe(table, hide_index=True, column_config=config)


def daily_chart(days: list[Day], *, today: date) -> alt.Chart:
    """Revisions by day, stacked by person, up to today."""
    frame = pd.DataFrame([{"day": day.day, "who": day.who, "n": day.revisions, "ok": day.approved} for day in days])
    frame["day"] = pd.to_datetime(frame["day"])
    first = min(frame["day"].min().date(), today - timedelta(days=SHORTEST - 1))
    span = [alt.DateTime(year=day.year, month=day.month, date=day.day) for day in (first, today + timedelta(days=1))]
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(day):T", title=None, scale=alt.Scale(domain=span), axis=alt.Axis(format="%m-%d")),
            y=alt.Y("sum(n):Q", title=t("people.revisions"), axis=alt.Axis(tickMinStep=1, format="d")),
            color=alt.Color("who:N", title=None, sort=None, legend=alt.Legend(orient="bottom")),
            tooltip=[
                alt.Tooltip("day:T", title=t("people.day"), format="%Y-%m-%d"),
                alt.Tooltip("who:N", title=t("people.who")),
                alt.Tooltip("n:Q", title=t("people.revisions")),
                alt.Tooltip("ok:Q", title=t("status.approved")),
            ],
        )
        .properties(height=260)
    )
