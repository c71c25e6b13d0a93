"""Training: choose a dataset and a model, press the button; earlier runs below."""

import pandas as pd
import streamlit as st

from core.errors import SongclipError
from db.experiments import Datasets, Runs
from workbench.components.job_panel import start_job
from workbench.components.shell import App, page, sorry, t
from workbench.tasks.models import base_name, model_names
from workbench.tasks.training import config_for, preset_names


def options(app: App) -> None:
    """The form; every option explained in a sentence."""
    datasets = [record.name for record in Datasets(app.db).all()]
    models = model_names(app.home)
    left, middle, right = st.columns(3)
    dataset = left.selectbox(t("train.dataset"), datasets)
    model = middle.selectbox(
        t("train.model"), models, index=models.index(base_name(app.home, "")), help=t("train.model_help")
    )
    method = right.segmented_control(
        t("train.method"),
        ["lora", "full"],
        default="lora",
        required=True,
        format_func=lambda name: t(f"train.{name}"),
    )
    preset = st.selectbox(
        t("train.preset"), ["", *preset_names()], format_func=lambda name: t(f"presets.{name or 'auto'}")
    )
    base = config_for(model, method=method or "lora", preset=preset)
    columns = st.columns(5)
    rank = columns[0].number_input(
        t("train.rank"),
        1,
        128,
        base.lora.rank,
        disabled=method == "full",
        help=t("train.rank_help"),
        key=f"rank-{preset}",
    )
    epochs = columns[1].number_input(
        t("train.epochs"), 1, 500, base.epochs, help=t("train.epochs_help"), key=f"epochs-{preset}-{model}"
    )
    batch = columns[2].number_input(
        t("train.batch"), 2, 1024, base.batch_size, help=t("train.batch_help"), key=f"batch-{preset}-{model}"
    )
    rate = columns[3].number_input(
        t("train.rate"),
        1e-7,
        1e-1,
        base.learning_rate,
        format="%.1e",
        help=t("train.rate_help"),
        key=f"rate-{preset}-{model}-{method}",
    )
    seed = columns[4].number_input(t("dataset.seed"), 0, 10_000, 0, help=t("train.seed_help"))
    if st.button(t("train.start"), type="primary", icon=":material/play_arrow:"):
        config = config_for(
            model,
            method=method or "lora",
            preset=preset,
            rank=int(rank),
            epochs=int(epochs),
            learning_rate=float(rate),
            batch_size=int(batch),
            seed=int(seed),
        )
        params = {"dataset": dataset, "model": model, "options": config.to_dict()}
        job = start_job(app, "train", params, key=f"train-{dataset}-{st.session_state.get('train_turn', 0)}")
        st.session_state["train_turn"] = st.session_state.get("train_turn", 0) + 1
        st.switch_page("pages/model/run.py", query_params={"job": str(job.id)})


def earlier(app: App) -> None:
    """The runs there are; a click opens one."""
    runs = Runs(app.db).all()
    if not runs:
        return
    st.subheader(t("train.earlier"))
    table = pd.DataFrame(
        {
            t("train.run"): [run.name for run in runs],
            t("train.dataset"): [run.dataset for run in runs],
            t("train.model"): [run.model for run in runs],
            t("train.method"): [t(f"train.{run.method}") for run in runs],
            t("train.share"): [
                100 * run.summary["trainable"] / run.summary["total"] if run.summary else None for run in runs
            ],
            t("train.best"): [run.summary.get("best_epoch") for run in runs],
            t("jobs.created"): [run.created_at[:16].replace("T", " ") for run in runs],
        }
    )
    config = {t("train.share"): st.column_config.NumberColumn(format="%.2f %%")}
    chosen = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs-table",
        column_config=config,
    )
    if chosen.selection.rows:
        st.switch_page("pages/model/run.py", query_params={"run": runs[chosen.selection.rows[0]].name})


with page("train") as app:
    if not Datasets(app.db).all():
        st.info(t("train.no_dataset"))
        st.page_link("pages/model/dataset.py", label=t("pages.dataset"), icon=":material/dataset:")
        st.stop()
    try:
        options(app)
    except SongclipError as error:
        st.error(sorry(error))
    earlier(app)
