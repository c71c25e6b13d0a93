"""How much a run's tuning counts: the slider beside the model, and what each strength won and hurt."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from core.errors import SongclipError
from core.model.spec import MINI, RELEASED
from core.records import EvaluationRecord, Job, JobState, Run
from db.experiments import Datasets, Runs
from db.jobs import Jobs
from workbench.components.job_panel import start_job, watch_job
from workbench.components.shell import App, plain, sorry, t
from workbench.tasks.models import finished_runs
from workbench.tasks.strengths import (
    GENERAL,
    GENERAL_SCENES,
    SETS,
    measurements,
    split_for,
    suggested,
    untouched_datasets,
)

FIGURES = ("R@1", "R@5", "R@10")
COLOURS = {"tuned": "#A4302A", "untouched": "#6F9283"}


def strength_from_address() -> float:
    """The strength that the address asks for, ``?strength=0.5``; 1 where it asks for none or for nonsense."""
    try:
        asked = float(st.query_params.get("strength", ""))
    except ValueError:
        return 1.0
    return asked if 0 <= asked <= 1 else 1.0


def strength_to_address(strength: float) -> None:
    """Say the strength in the address; as tuned needs no saying."""
    if strength != 1:
        st.query_params["strength"] = f"{strength:g}"
    elif "strength" in st.query_params:
        del st.query_params["strength"]


def strength_slider(run: str) -> float:
    """How much the tuning of ``run`` counts, beginning with what the address asks of it."""
    key = f"strength-{run}"
    asked_of_it = st.query_params.get("run", run) == run
    st.session_state.setdefault(key, strength_from_address() if asked_of_it else 1.0)
    return round(st.slider(t("strength.slider"), 0.0, 1.0, step=0.05, key=key), 2)


def model_name(record: EvaluationRecord) -> str:
    """How the model of a measurement is called: its run, with its strength unless it is as tuned, or its base."""
    strength = record.figures.get("strength", 1.0)
    if not record.run and record.model not in (MINI, *RELEASED):
        return f"{Path(record.model).name} · {t('results.own_file')}"
    if not record.run:
        return f"{record.model} · {t('results.zero_shot')}"
    return run_at(record.run, strength)


def run_at(run: str, strength: float) -> str:
    """A run by its name, with its strength unless it is as tuned."""
    return run if strength == 1 else f"{run} · {t('strength.at', strength=f'{strength:g}')}"


def strengths_of_runs(app: App, dataset: str) -> None:
    """Choose a run of this dataset and an untouched set, measure, and see what each strength won and hurt."""
    built = (dataset, Datasets(app.db).get(dataset).hash)
    made = [Runs(app.db).get(name) for name in finished_runs(app.home, app.db)]
    runs = {run.name: run for run in made if (run.dataset, run.dataset_hash) == built}
    if not runs:
        return
    st.subheader(t("strength.title"))
    st.caption(t("strength.lead"))
    try:
        split_for(app.db, next(iter(runs.values())))
    except SongclipError as error:
        st.info(sorry(error))
        return
    left, right, button = st.columns([4, 6, 3], vertical_alignment="bottom")
    key, asked = f"strength-run-{dataset}", st.query_params.get("run", "")
    st.session_state.setdefault(key, asked if asked in runs else next(iter(runs)))
    run = runs[left.selectbox(t("strength.run"), list(runs), key=key)]
    st.query_params["run"] = run.name
    done = measurements(app.home, app.db, run.name)
    sets = [*untouched_datasets(app.home, app.db, run), GENERAL]
    untouched = right.selectbox(
        t("strength.untouched"),
        sets,
        index=next((sets.index(name) for name in done if name in sets), 0),
        format_func=lambda name: name or t("strength.general", count=GENERAL_SCENES),
        help=t("strength.untouched_help"),
    )
    if untouched == GENERAL:
        st.caption(t("strength.general_mini" if run.model == MINI else "strength.general_stand_in"))
    if button.button(t("strength.measure"), icon=":material/straighten:", width="stretch"):
        start_job(app, "strength", {"run": run.name, "untouched": untouched}, key=f"strength-{run.name}-{untouched}")
    job = _job_of(app, run, untouched)
    if job and job.state is not JobState.DONE:
        watch_job(job.id)
    if untouched in done:
        _along(done[untouched])


def _job_of(app: App, run: Run, untouched: str) -> Job | None:
    jobs = Jobs(app.db).page(kind="strength")
    return next((job for job in jobs if job.params == {"run": run.name, "untouched": untouched}), None)


def _along(measured: dict[str, Any]) -> None:
    """Chart, sentences and table of one measurement."""
    figure = st.segmented_control(
        "K", FIGURES, default="R@5", required=True, key="strength-k", label_visibility="collapsed"
    )
    best = suggested(measured, figure or "R@5")
    rows = _rows(measured, figure or "R@5")
    st.altair_chart(_chart(rows, best), width="stretch")
    asked = t(f"strength.asked_{measured.get('asked', 'all')}")
    st.caption(f"{asked} {t('strength.reading')}")
    for strength in dict.fromkeys((1.0, best)):
        for name in SETS:
            row = next(row for row in rows if row["strength"] == strength and row["name"] == name)
            st.markdown(_change(row, figure or "R@5"))
    which = {0.0: "base", 1.0: "tuned"}.get(best, "between")
    st.markdown(t(f"strength.suggest_{which}", strength=f"{best:g}", figure=figure))
    st.caption(t("strength.suggest_note"))
    st.page_link(
        "pages/search/browse.py",
        label=t("strength.search", strength=f"{best:g}"),
        icon=":material/image_search:",
        query_params={"run": measured["run"], "strength": f"{best:g}"},
    )
    st.dataframe(_table(rows), hide_index=True)


def _rows(measured: dict[str, Any], figure: str) -> list[dict[str, Any]]:
    """A row for each strength and set: its label, recall with interval, chance, and the change on the base."""
    rows = []
    for at in measured["along"]:
        for name in SETS:
            found, change = at[name]["t2i"], at[name]["change"][figure]
            rows.append(
                {
                    "strength": at["strength"],
                    "name": name,
                    "set": _label(measured, name, found["gallery"]),
                    "recall": found[figure],
                    "low": found["ci"][figure][0],
                    "high": found["ci"][figure][1],
                    "chance": found["chance"][figure],
                    "change": change["difference"],
                    "change_low": change["ci"][0],
                    "change_high": change["ci"][1],
                }
            )
    return rows


def _label(measured: dict[str, Any], name: str, gallery: int) -> str:
    about = measured[name]
    where = about["dataset"] or t("strength.generated")
    if "split" in about:
        where = f"{where} · {t('splits.' + about['split'])}"
    return t(f"strength.set_{name}", where=where, gallery=gallery)


def _chart(rows: list[dict[str, Any]], best: float) -> alt.LayerChart:
    """Two lines with 95 % bands and the chance of each; the suggested strength as an upright line."""
    frame = pd.DataFrame(rows)
    labels = [next(row["set"] for row in rows if row["name"] == name) for name in SETS]
    colour = alt.Color(
        "set:N",
        title=None,
        scale=alt.Scale(domain=labels, range=[COLOURS[name] for name in SETS]),
        legend=alt.Legend(orient="bottom", columns=1, labelLimit=600, symbolOpacity=1),
    )
    values = [row["strength"] for row in rows]
    x = alt.X(
        "strength:Q",
        title=t("strength.axis"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=values, labelExpr="datum.value"),  # a format alone is rounded by the theme
    )
    base = alt.Chart(frame).encode(x=x, color=colour)
    bands = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title=t("charts.recall"), scale=alt.Scale(domain=[0, 100])), y2="high:Q"
    )
    lines = base.mark_line(point=True).encode(
        y="recall:Q", tooltip=["set", "strength", "recall", "low", "high", "chance", "change"]
    )
    chance = base.mark_line(strokeDash=[2, 4]).encode(y="chance:Q")
    mark = alt.Chart(pd.DataFrame({"strength": [best]})).mark_rule(color="#8A8271", strokeDash=[6, 3]).encode(x=x)
    layers: alt.LayerChart = (bands + chance + mark + lines).properties(height=320)
    return layers


def _change(row: dict[str, Any], figure: str) -> str:
    """What one strength did to one set, against the base on the same queries."""
    clear = "won" if row["change_low"] > 0 else "hurt" if row["change_high"] < 0 else "unclear"
    return t(
        f"strength.{clear}",
        strength=f"{row['strength']:g}",
        set=plain(row["set"]),
        figure=figure,
        change=f"{row['change']:+.1f}",
        low=f"{row['change_low']:+.1f}",
        high=f"{row['change_high']:+.1f}",
    )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A line for each strength: both sets, each with its change on the base."""
    lines: dict[float, dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(row["strength"], {t("strength.axis"): f"{row['strength']:g}"})
        of_set = t(f"strength.short_{row['name']}")
        line[of_set] = f"{row['recall']:.1f}  [{row['low']:.1f}–{row['high']:.1f}]"
        change = f"{row['change']:+.1f}  [{row['change_low']:+.1f}, {row['change_high']:+.1f}]"
        line[f"{of_set}{t('dataset.colon')}{t('strength.against_base')}"] = change if row["strength"] else "–"
    return pd.DataFrame(list(lines.values()))
