"""The form that builds a dataset: what would go in, its limits, and what it would replace."""

import json
from collections.abc import Collection
from itertools import count
from typing import Any

import streamlit as st

from core.records import DatasetRecord
from core.texts.annotation import Status
from db.experiments import Datasets, Runs
from db.images import Pairs
from workbench.components.job_panel import start_job
from workbench.components.limits import beyond
from workbench.components.shell import App, plain, t
from workbench.tasks.datasets import CAPTION_KINDS, DEFAULT_KINDS, checked_name

CONFIRMED = (Status.APPROVED,)
SHARES, SEEDS = (0.0, 0.9), (0, 2**32 - 1)
OTHERS = (Status.SUBMITTED, Status.DRAFT, Status.SUGGESTED)


def begin(built: Collection[str]) -> None:
    """Fill the form at its first sight; a name that was proposed and is built by now gives way to the next free one.

    What somebody typed stays, whatever is built meanwhile.
    """
    state = st.session_state
    if "dataset-name" not in state:
        first = {"kinds": list(DEFAULT_KINDS), "statuses": [], "valid": 0.15, "test": 0.15, "seed": 0}
        state.update({f"dataset-{field}": value for field, value in first.items()})
    name = state.get("dataset-name", "")
    if "dataset-name" not in state or (name in built and name == state.get("dataset-proposed")):
        free = next(name for number in count(len(built) + 1) if (name := f"dataset-{number}") not in built)
        state["dataset-name"] = state["dataset-proposed"] = free


def build_form(app: App) -> None:
    """Choose, see what would go in, build."""
    built = {record.name: record for record in Datasets(app.db).all()}
    begin(built)
    left, right = st.columns([2, 3])  # the three usual kinds of text side by side
    kept: dict[str, Any] = {"persist_state": "session"}
    name = left.text_input(t("dataset.name"), max_chars=60, key="dataset-name", **kept) or ""
    kinds = right.multiselect(
        t("dataset.kinds"),
        CAPTION_KINDS,
        format_func=lambda kind: t(f"captions.{kind}"),
        placeholder=t("dataset.kinds_none"),
        key="dataset-kinds",
        **kept,
    )
    others = left.multiselect(
        t("dataset.statuses"),
        OTHERS,
        format_func=lambda status: t(f"status.{status.value}"),
        help=t("dataset.statuses_help"),
        placeholder=t("dataset.statuses_none"),
        key="dataset-statuses",
        **kept,
    )
    numbers = right.columns(3)
    valid = numbers[0].number_input(t("dataset.valid"), step=0.05, key="dataset-valid", **kept)
    test = numbers[1].number_input(t("dataset.test"), step=0.05, key="dataset-test", **kept)
    seed = numbers[2].number_input(t("dataset.seed"), step=1, key="dataset-seed", **kept)
    wrong = out_of_limits(valid, test, seed)
    for sentence in wrong:
        st.error(sentence)
    statuses = [status.value for status in (*CONFIRMED, *others)]
    if others:
        st.warning(t("dataset.unconfirmed"))
    passages, images = Pairs(app.db).ready(statuses)
    st.markdown(t("dataset.preview", passages=passages, images=images))
    earlier = built.get(name.strip())
    replace = earlier is None or may_replace(app, earlier)
    if st.button(
        t("dataset.build"),
        type="primary",
        disabled=bool(not images or not kinds or wrong or not replace),
        icon=":material/dataset:",
    ):
        params = {
            "name": checked_name(name),
            "kinds": kinds,
            "statuses": statuses,
            "valid": valid,
            "test": test,
            "seed": int(seed),
        }
        job = start_job(app, "dataset", params, key=f"dataset-{json.dumps(params, sort_keys=True)}")
        st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})


def may_replace(app: App, record: DatasetRecord) -> bool:
    """Whether somebody said that the dataset of this name may go; the box holds for its present build only."""
    runs = len(Runs(app.db).trained_on(record.name, record.hash))
    said = t("dataset.replace_runs", runs=runs) if runs else t("dataset.replace_no_runs")
    st.warning(f"{t('dataset.replaces')} {said}")
    return st.checkbox(t("dataset.replace", name=plain(record.name)), key=f"dataset-replace-{record.created_at}")


def out_of_limits(valid: float, test: float, seed: int) -> list[str]:
    """A sentence for each number that cannot be, and for shares that leave nothing to train on."""
    said = [
        beyond(t("dataset.valid"), valid, *SHARES),
        beyond(t("dataset.test"), test, *SHARES),
        beyond(t("dataset.seed"), seed, *SEEDS),
    ]
    together = t("dataset.nothing_left") if not any(said) and valid + test >= 1 else ""
    return [sentence for sentence in (*said, together) if sentence]
