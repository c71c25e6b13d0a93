"""Annotate: choose passages, ask a provider, watch the job."""

import streamlit as st

from core.texts.annotation import Status
from db.jobs import Jobs
from db.passages import Passages
from workbench.components.filters import passage_filter
from workbench.components.job_panel import start_job
from workbench.components.shell import page, t
from workbench.tasks.annotating import PROVIDERS

with page("annotate") as app:
    wanted = passage_filter(app, key="annotate", deleted=False, status=Status.NEW)
    ids = Passages(app.db).ids(wanted)
    left, right = st.columns(2)
    provider = left.selectbox(t("annotate.provider"), list(PROVIDERS), format_func=lambda name: t(f"providers.{name}"))
    limit = right.number_input(t("annotate.limit"), min_value=1, max_value=max(len(ids), 1), value=max(len(ids), 1))
    st.caption(t(f"providers.{provider}_hint"))
    if not ids:
        st.info(t("annotate.none"))
    if st.button(
        t("annotate.start", count=min(int(limit), len(ids))),
        type="primary",
        disabled=not ids,
        icon=":material/auto_awesome:",
    ):
        job = start_job(app, "annotate", {"provider": provider, "ids": ids[: int(limit)]})
        st.switch_page("pages/system/jobs.py", query_params={"job": str(job.id)})
    earlier = Jobs(app.db).page(kind="annotate", limit=10)
    if earlier:
        st.subheader(t("annotate.earlier"))
    for job in earlier:
        with st.container(horizontal=True, vertical_alignment="center"):
            done = job.result.get("done", job.done)
            st.markdown(f"#{job.id} · {t(f'jobs.state.{job.state.value}')} · {t('annotate.count', count=done)}")
            st.page_link("pages/system/jobs.py", label=t("jobs.open"), query_params={"job": str(job.id)})
