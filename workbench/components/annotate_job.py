"""What became of each passage of an annotation job: its state, failures with their raw reply, and retrying."""

import pandas as pd
import streamlit as st

from core.records import Job, Suggestion
from db.jobs import Jobs
from db.passages import Passages
from db.prompts import Calls
from db.suggestions import Suggestions
from workbench.components.job_panel import start_job
from workbench.components.shell import App, app_home, plain, t
from workbench.jobs.keys import hold
from workbench.tasks.asking import retry_params

SHOWN = 500
RAW_SHOWN = 20_000


def passages_of_job(app: App, job: Job) -> None:
    """Counts; what failed, each open to be read; and the buttons to ask again."""
    found = Suggestions(app.db).of_job(job.id)
    if not found:
        return
    failed = [suggestion for suggestion in found if suggestion.error]
    calls, tokens_in, tokens_out = Calls(app.db).of_job(job.id)
    counts = {"done": len(found) - len(failed), "failed": len(failed), "calls": calls}
    st.caption(t("annotate.job_counts", **counts, tokens=f"{tokens_in + tokens_out:,}"))
    for suggestion in failed[:SHOWN]:
        _failure(app, suggestion)
    if failed and not job.state.active:
        _retry(app, job, [suggestion.passage_id for suggestion in failed])


def passage_states(job: Job) -> None:
    """Each passage of the job as it stands, drawn with every look while the job works."""
    db = app_home().open()
    found = Suggestions(db).of_job(job.id)
    if not found:
        return
    passages = Passages(db)
    shown = found[-SHOWN:]
    table = pd.DataFrame(
        {
            "#": [suggestion.passage_id for suggestion in shown],
            t("passages.text"): [passages.get(suggestion.passage_id).text[:60] for suggestion in shown],
            t("passages.status"): [t("jobs.state.failed") if s.error else t("jobs.state.done") for s in shown],
            t("desk.entities"): [len(s.value.entities) if s.value else None for s in shown],
        }
    )
    st.caption(t("annotate.passages_of_job", count=len(found)))
    st.dataframe(table, hide_index=True, height=240, key=f"states-{job.id}")


def _failure(app: App, suggestion: Suggestion) -> None:
    reason = t(f"errors.{suggestion.error}", **suggestion.error_details)
    with st.expander(f"#{suggestion.passage_id} · {plain(reason)}", icon=":material/error:"):
        st.text(Passages(app.db).get(suggestion.passage_id).text[:400])
        st.caption(t("annotate.raw"))
        # A code block shows text as text: nothing in a reply is drawn, linked or fetched.
        st.code(suggestion.raw[:RAW_SHOWN] or "—", language=None, wrap_lines=True)


def _retry(app: App, job: Job, failed: list[int]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            t("annotate.retry_which"),
            failed,
            failed[:SHOWN],
            format_func=lambda i: f"#{i}",
            placeholder=t("shell.choose"),
        )
        key = st.text_input(t("annotate.key"), type="password", key=f"retry-key-{job.id}") if job.needs_key else ""
        if st.button(t("annotate.retry", count=len(chosen)), disabled=not chosen, icon=":material/replay:"):
            new = start_job(app, "annotate", retry_params(job.params, chosen), needs_key=job.needs_key)
            if key:
                hold(app.home, new.id, key)
            st.switch_page("pages/system/jobs.py", query_params={"job": str(new.id)})


def ask_for_key(app: App, job: Job) -> None:
    """A job that waits for its provider's key, because the server that held it was restarted."""
    st.warning(t("jobs.needs_key"))
    key = st.text_input(t("annotate.key"), type="password", key=f"key-{job.id}")
    if st.button(t("jobs.give_key"), key=f"give-{job.id}") and key:
        hold(app.home, Jobs(app.db).get(job.id).id, key.strip())
        st.rerun()
