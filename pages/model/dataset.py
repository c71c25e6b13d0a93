"""Dataset: what would go in, build it, and what earlier ones hold."""

from typing import Any

import pandas as pd
import streamlit as st

from core.dataset.splits import SPLITS
from core.records import DatasetRecord
from db.experiments import Datasets
from workbench.components.dataset_form import build_form
from workbench.components.made_from import made_from_older
from workbench.components.shell import App, page, plain, t


def excluded(rows: list[dict[str, str]]) -> None:
    """What is left out, and why."""
    if rows:
        with st.expander(t("dataset.excluded", count=len(rows))):
            shown = [{t("dataset.what"): row["what"], t("dataset.why"): t(row["why"])} for row in rows]
            st.dataframe(pd.DataFrame(shown), hide_index=True)


def made_how(manifest: dict[str, Any]) -> str:
    """The choices a dataset was built with, in one line; what an older one does not say is left out."""
    settings = manifest.get("settings", {})
    shares = [f"{t(f'dataset.{name}')} {100 * settings[name]:g} %" for name in ("valid", "test") if name in settings]
    seed = [f"{t('dataset.seed')} {manifest['seed']}"] if "seed" in manifest else []
    chosen = {
        t("dataset.kinds"): [t(f"captions.{kind}") for kind in settings.get("kinds", ())],
        t("dataset.all_statuses"): [t(f"status.{status}") for status in manifest.get("statuses", ())],
    }
    lists = [f"{label}{t('dataset.colon')}{t('dataset.comma').join(names)}" for label, names in chosen.items() if names]
    return " · ".join([*shares, *seed, *lists])


def show(app: App, record: DatasetRecord) -> None:
    """One dataset that was built."""
    manifest = record.manifest
    with st.container(border=True):
        st.markdown(f"**{plain(record.name)}** · {record.created_at[:10]} · `{record.hash[:12]}`")
        st.caption(plain(made_how(manifest)))
        splits = [(name, manifest["splits"][name]) for name in SPLITS if name in manifest["splits"]]
        table = {t("dataset.split"): [t(f"splits.{name}") for name, _ in splits]}
        for what in ("images", "texts", "pairs", "refused"):
            if any(what in counts for _, counts in splits):
                table[t(f"dataset.{what}")] = [counts.get(what, 0) for _, counts in splits]
        st.dataframe(pd.DataFrame(table), hide_index=True)
        if manifest.get("warning"):
            st.warning(t(f"warnings.{manifest['warning']}"))
        made_from_older(app, manifest)
        excluded(manifest.get("excluded", []))
        st.caption(plain(str(app.home.datasets / record.name)))


with page("dataset") as app:
    build_form(app)
    built = Datasets(app.db).all()
    if built:
        st.subheader(t("dataset.built"))
    for record in built:
        show(app, record)
