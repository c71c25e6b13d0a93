"""The overview: how far the project is, and what comes next."""

from datetime import datetime

import streamlit as st

from core.texts.annotation import Status
from db.people import People
from workbench.components.progress import daily_chart, people_table, works_table
from workbench.components.shell import App, page, show_notices, t
from workbench.tasks.overview import Overview, busiest, next_step, read_overview


def draw_stages(overview: Overview) -> None:
    """One card a stage, each a door to its page."""
    stages = (
        ("passages", overview.passages, "pages/texts/passages.py"),
        ("approved", overview.status[Status.APPROVED], "pages/texts/review.py"),
        ("images", overview.images, "pages/images/collection.py"),
        ("pairs", overview.pairs, "pages/images/pairs.py"),
        ("datasets", overview.datasets, "pages/model/dataset.py"),
        ("runs", overview.runs, "pages/model/train.py"),
    )
    with st.grid(min_column_width=125):
        for name, count, door in stages:
            with st.container(border=True):
                st.metric(t(f"overview.{name}"), f"{count:,}")
                st.page_link(door, label=t("overview.open"), icon=":material/arrow_forward:")


def draw_people(app: App) -> None:
    """What there is to show of works, people and days."""
    records = People(app.db)
    if works := records.by_work():
        st.subheader(t("people.by_source"))
        works_table(works)
    if people := records.progress():
        st.subheader(t("people.by_person"))
        people_table(people)
    if days := records.daily():
        st.subheader(t("people.daily"))
        st.altair_chart(daily_chart(busiest(days, t("people.others")), today=datetime.now().date()))


with page("overview") as app:
    show_notices()
    overview = read_overview(app.db)
    step, door = next_step(overview)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{t('overview.next')}** {t(f'overview.step.{step}')}")
        st.page_link(door, label=t("overview.go"), icon=":material/arrow_forward:")
    draw_stages(overview)
    st.subheader(t("overview.progress"))
    total = max(overview.passages, 1)
    for status in (Status.APPROVED, Status.SUBMITTED, Status.DRAFT, Status.SUGGESTED, Status.NEW):
        count = overview.status[status]
        st.progress(count / total, text=f"{t(f'status.{status.value}')} · {count:,}")
    draw_people(app)
