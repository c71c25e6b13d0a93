"""A run as it goes: figures, curves, example queries, its log; and what can be done with it afterwards."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.errors import NotFoundError
from core.imaging.store import ImageStore
from core.records import Job, Run
from db.experiments import Runs
from db.images import Images
from workbench.components.finish import finish_button
from workbench.components.limits import beyond
from workbench.components.option_words import differing, option_name
from workbench.components.quantities import duration, gigabytes
from workbench.components.shell import App, app_home, plain, t
from workbench.components.train_form import SEED, STARTED_FROM
from workbench.components.training_charts import (
    loss_chart,
    memory_chart,
    rate_chart,
    recall_chart,
    runs_chart,
    speed_chart,
)
from workbench.tasks.options import params_again
from workbench.tasks.run_files import (
    LOG,
    TOP,
    Example,
    memory_notes,
    read_examples,
    read_metrics,
    tail,
    time_left,
)
from workbench.tasks.training import queue_run

Row = dict[str, Any]
FIGURE = 190
"""Pixels that a figure takes."""


def live(run: Run, job: Job | None) -> None:
    """All that changes while a run works; drawn with every look at its job."""
    folder = app_home().experiments / run.name
    steps, epochs = read_metrics(folder)
    if steps:
        figures(run, job, steps, epochs)
    curves(run, steps, epochs)
    kept = [note for note in run.summary.get("notes", ()) if note["what"] == "micro_batch"]
    # the steps alone do not show that the first of them was halved
    for note in {note["step"]: note for note in [*memory_notes(steps), *kept]}.values():
        st.info(t("run_page.memory_note", **note), icon=":material/memory:")
    if job and not job.state.active and not run.summary and steps:
        best = next((row["epoch"] for row in reversed(epochs) if row.get("best")), None)
        st.info(t("run_page.kept", step=steps[-1]["step"]) if best is None else t("run_page.kept_best", epoch=best))
        if best is not None:
            finish_button(run, job, best)
    examples(run, read_examples(folder), epochs)
    log_tail(run, job)


def figures(run: Run, job: Job | None, steps: Sequence[Row], epochs: Sequence[Row]) -> None:
    """Where the run stands: step, loss, rate, memory, throughput and time left."""
    last = steps[-1]
    with st.grid(min_column_width=FIGURE):
        # before its first step a job counts pictures that it reads
        counts_steps = job and job.kind == "train" and job.message == "progress.train_step"
        total = job.total if job and counts_steps and job.total >= last["step"] else 0
        st.metric(t("run_page.step_now"), f"{last['step']} / {total}" if total else f"{last['step']}")
        st.metric(t("run_page.loss"), f"{last['loss']:.3f}")
        st.metric(t("train.rate"), f"{last['lr']:.1e}")
        if last.get("memory"):
            st.metric(t("run_page.memory"), gigabytes(last["memory"]), help=t("run_page.memory_help"))
        # runs of an earlier version did not count texts
        speeds = [last[name] for name in ("images_per_second", "texts_per_second") if name in last]
        st.metric(t("run_page.speed"), " / ".join(f"{speed:.0f}" for speed in speeds), help=t("run_page.speed_help"))
        if job and job.state.active and total:
            left = time_left(steps, epochs, total, run.config["epochs"])
            st.metric(t("run_page.left"), duration(left) if left is not None else "…")
    if job and job.state.active:
        st.caption(t("run_page.stop_note"))


def curves(run: Run, steps: Sequence[Row], epochs: Sequence[Row]) -> None:
    """Loss and recall, and below them rate, throughput and memory."""
    left, right = st.columns(2)
    if steps:
        left.altair_chart(loss_chart(steps), width="stretch", key=f"loss-{run.name}")
    if any("mean_recall" in row for row in epochs):
        right.altair_chart(recall_chart(epochs), width="stretch", key=f"recall-{run.name}")
        right.caption(t("run_page.valid"))
    elif steps:
        right.info(t("run_page.no_valid"))
    if not steps:
        return
    charts = {"rate": rate_chart(steps), "speed": speed_chart(steps), "memory": memory_chart(steps)}
    for column, (name, chart) in zip(st.columns(3), charts.items(), strict=True):
        if chart is not None:
            column.altair_chart(chart, width="stretch", key=f"{name}-{run.name}")


def examples(run: Run, queries: Sequence[Example], epochs: Sequence[Row]) -> None:
    """Example queries with their top pictures at an epoch; 0 is before tuning, the latest until another is chosen."""
    # where the queries' file was damaged they are others from then on, and older answers are not theirs
    seen = {row["epoch"]: row["examples"] for row in epochs if len(row.get("examples", ())) == len(queries)}
    if not queries or not seen:
        return
    st.subheader(t("run_page.examples"))
    numbers, state, kept = list(seen), st.session_state, f"examples-{run.name}"
    epoch = state.get(kept) if state.get(kept) in seen else numbers[-1]
    if len(numbers) > 1:
        # a slider with one more epoch is another slider: what was chosen is kept beside it
        key = f"{kept}-{len(numbers)}"

        def remember() -> None:
            chosen = state[key]
            state[kept] = None if chosen == numbers[-1] else chosen

        epoch = st.select_slider(
            t("charts.epoch"), numbers, epoch, key=key, on_change=remember, help=t("run_page.examples_help")
        )
    for query, found in zip(queries, seen[epoch], strict=True):
        st.markdown(f"**{plain(query.text)}** · {t('run_page.right_at', rank=found['rank'])}")
        for column, image_id in zip(st.columns(TOP), found["top"], strict=False):
            with column:
                _picture(image_id, right=image_id in query.images)


def _picture(image_id: int, *, right: bool) -> None:
    home = app_home()
    try:
        image = Images(home.open()).get(image_id)
        file = ImageStore(home.images).thumbnail(image.sha256)
    except NotFoundError:
        st.caption(t("gallery.file_missing"))
        return
    with st.container(border=right):
        st.image(str(file), width="stretch", alt=image.title or image.file_name)
        st.caption(f"✓ {plain(image.title)}" if right else plain(image.title))


def log_tail(run: Run, job: Job | None) -> None:
    """The end of what the run and its process wrote."""
    home = app_home()
    files = [home.experiments / run.name / LOG, *([home.logs / f"job-{job.id}.log"] if job else [])]
    with st.expander(t("run_page.log"), icon=":material/terminal:"):
        # A code block shows text as text: nothing in a log is drawn, linked or fetched.
        st.code(tail(files) or "—", language=None, wrap_lines=True)


def again(app: App, run: Run) -> None:
    """Run it once more with the same frozen options, with its seed or another; or take them to the form."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.number_input(
            t("train.seed"), value=int(run.config.get("seed", 0)), width=160, key=f"again-seed-{run.name}"
        )
        wrong = beyond(t("train.seed"), seed, SEED.low, SEED.high)
        if st.button(
            t("run_page.again"), icon=":material/replay:", help=t("run_page.again_help"), disabled=bool(wrong)
        ):
            job = queue_run(app.home, app.db, params_again(run, seed=int(seed)))
            st.switch_page("pages/model/run.py", query_params={"job": str(job.id)})
        if st.button(t("run_page.edit"), icon=":material/edit:"):
            st.session_state.pop(STARTED_FROM, None)  # its options anew, whatever was changed in them before
            st.switch_page("pages/model/train.py", query_params={"from": run.name})
    if wrong:
        st.error(wrong)


def compare(app: App, run: Run) -> None:
    """The mean recall of this run beside that of others on the same data, and the options that differ."""
    same = (run.dataset, run.dataset_hash)
    others = {r.name: r for r in Runs(app.db).all() if (r.dataset, r.dataset_hash) == same and r.name != run.name}
    if not others:
        return
    st.subheader(t("run_page.compare"))
    names = st.multiselect(
        t("run_page.compare_with"),
        list(others),
        key=f"compare-{run.name}",
        help=t("run_page.compare_help"),
        placeholder=t("run_page.compare_none"),
    )
    if not names:
        return
    shown = [run, *(others[name] for name in names)]
    st.altair_chart(
        runs_chart({r.name: read_metrics(app.home.experiments / r.name)[1] for r in shown}), width="stretch"
    )
    rows = differing(shown)
    if rows:
        table = [{t("run_page.option"): option_name(name), **values} for name, values in rows.items()]
        st.dataframe(pd.DataFrame(table), hide_index=True)
    else:
        st.caption(t("run_page.same_options"))


def frozen(run: Run) -> None:
    """Everything that made the run, as it is kept in its folder."""
    with st.expander(t("run_page.frozen"), icon=":material/lock:"):
        st.caption(t("run_page.frozen_note", hash=run.dataset_hash[:12]))
        st.code(json.dumps(run.config, ensure_ascii=False, indent=1), language="json")
