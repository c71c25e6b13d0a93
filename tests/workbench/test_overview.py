from datetime import date, timedelta

from db.people import Day
from workbench.components.progress import SHORTEST, daily_chart
from workbench.tasks.overview import busiest


def test_all_but_the_busiest_go_under_one_name_and_nothing_is_lost():
    days = [Day("2026-05-01", who, n, n - 1) for who, n in (("甲", 5), ("乙", 2), ("丙", 1), ("丁", 1))]
    days += [Day("2026-05-02", "丁", 4, 0), Day("2026-05-03", "乙", 1, 1)]
    assert busiest(days, "others", persons=2) == [
        Day("2026-05-01", "甲", 5, 4),
        Day("2026-05-01", "others", 3, 1),
        Day("2026-05-01", "丁", 1, 0),
        Day("2026-05-02", "丁", 4, 0),
        Day("2026-05-03", "others", 1, 1),
    ]
    assert busiest(days, "others", persons=4) == days
    assert busiest([], "others") == []


def test_the_plot_runs_to_today_and_spans_a_month_at_least():
    today = date(2026, 5, 31)
    for day, first in ((today, today - timedelta(days=SHORTEST - 1)), (date(2026, 3, 7), date(2026, 3, 7))):
        domain = daily_chart([Day(day.isoformat(), "甲", 3, 1)], today=today).to_dict()["encoding"]["x"]["scale"][
            "domain"
        ]
        assert [(end["year"], end["month"], end["date"]) for end in domain] == [
            (first.year, first.month, first.day),
            (2026, 6, 1),
        ]
