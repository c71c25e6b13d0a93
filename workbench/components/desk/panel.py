"""The desk on its page: receives what the browser reports, does what it asks for, and draws the passage again.

Saving is the component's callback: it runs first of all, also when the same click went to another page. What stays in
the component's state is looked at in the page's run as well, so that a browser whose server was restarted is heard.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.annotation.endpoints import Endpoint, resolve_key
from core.errors import InputError, SongclipError
from core.records import JobState
from db.connection import now
from db.jobs import Jobs
from db.passages import Passages
from db.queue import PassageFilter
from db.refusals import refusal
from workbench.components.desk.component import desk_component
from workbench.components.desk.guidelines import guidelines_dialog
from workbench.components.desk.view import desk_data
from workbench.components.job_panel import job_sentence, start_job
from workbench.components.shell import App, app_home, notice_later, plain, reviewer, sorry, t
from workbench.tasks.annotating import provider_named, suggest
from workbench.tasks.desk import receive
from workbench.tasks.redrafting import latest_endpoint, redraft_now
from workbench.tasks.sittings import Sitting, leave, refresh, resume, sit_down

logger = logging.getLogger(__name__)

KEY = "desk"
SITTINGS = 10
"""Sittings kept with their undo in one browser session: the last passages one was at."""
POLL_SECONDS = 1.0


@dataclass
class Room:
    """What a browser session remembers of its desk."""

    sittings: dict[int, Sitting] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    current: int | None = None
    go: str | int | None = None
    left_open: int = 0
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    job: int | None = None
    said: str = ""


def room() -> Room:
    """The room of this browser session."""
    found: Room = st.session_state.setdefault("desk-room", Room())
    return found


def leave_desk() -> None:
    """Another page was opened: the revision of the passage one was at is closed."""
    here: Room | None = st.session_state.get("desk-room")
    if here and here.current is not None and (sitting := here.sittings.get(here.current)):
        leave(app_home().open(), sitting)
        here.current = None


def hear() -> bool:
    """Apply what the browser has sent and was not applied yet, of this passage and of those it has gone on from.

    Returns whether something was applied. What the system refuses is said, and stays with the browser, which sends it
    again.
    """
    state = st.session_state.get(KEY)
    sent = state.get("sent") if state else None
    batches = sent.get("batches") if isinstance(sent, dict) else None
    heard = False
    for batch in batches if isinstance(batches, list) else ():
        try:
            number = max(_number(action["n"]) for action in batch["actions"])
            token, passage_id = str(batch["sitting"]), _number(batch["passage"])
            begun = {name: _number(batch[name]) for name in ("version", "revision")}
        except (KeyError, TypeError, ValueError):
            logger.warning("the desk sent what is no batch")
            continue
        if number > room().heard.get(token, 0):
            heard |= _apply({**batch, **begun}, token, passage_id)
    return heard


def _number(given: Any) -> int:
    """A count as the browser sends it; ValueError for anything else, also for one that SQLite cannot hold."""
    if type(given) is not int or not 0 <= given < 2**53:
        raise ValueError(given)
    return given


def _apply(batch: Mapping[str, Any], token: str, passage_id: int) -> bool:
    here = room()
    try:
        db = app_home().open()
        sitting = here.sittings.get(passage_id)
        if sitting is None or sitting.token != token:
            resumed = resume(db, batch)
            # The page has already begun a sitting for a browser that goes on with its own: hers it is.
            if sitting is None or not sitting.begun:
                here.sittings[passage_id] = resumed
            sitting = resumed
        outcome = receive(db, sitting, batch, who=reviewer())
        if here.current != passage_id:  # the last words of somebody who has gone on
            leave(db, sitting)
    except SongclipError as error:
        logger.warning("the desk's actions: %s", error.code)
        here.said = sorry(error)
        return False
    except Exception as error:
        logger.exception("the desk's actions")
        here.said = sorry(refusal(error, app_home().path) or SongclipError("unexpected", kind=""))
        return False
    here.heard.pop(token, None)
    here.heard[token] = sitting.ack
    if here.current == passage_id:
        here.asked += outcome.asked
        if outcome.go is not None:
            here.go, here.left_open = outcome.go, outcome.left_open
    return True


def _arrive(app: App, passage_id: int) -> None:
    """Whoever comes to a passage has left the one before."""
    here = room()
    if here.current not in (None, passage_id) and (before := here.sittings.get(here.current or 0)):
        leave(app.db, before)
    here.current = passage_id


def sitting_at(app: App, passage_id: int) -> Sitting:
    """The sitting at a passage: the one that is open, or a new one."""
    here = room()
    sitting = here.sittings.pop(passage_id, None) or sit_down(app.db, passage_id)
    here.sittings[passage_id] = sitting
    while len(here.sittings) > SITTINGS:
        del here.sittings[next(iter(here.sittings))]
    refresh(app.db, sitting)
    return sitting


def desk(app: App, passage_id: int, wanted: PassageFilter) -> None:
    """Draw the desk. An action runs the whole page, no fragment: a server that was restarted knows no fragments."""
    _arrive(app, passage_id)
    hear()
    _go(app, passage_id, wanted)
    here = room()
    sitting = sitting_at(app, passage_id)
    while here.asked:
        _answer(app, sitting, here.asked.pop(0))
    if here.said:
        st.error(here.said)
        here.said = ""
    passage = Passages(app.db).get(passage_id)
    data = desk_data(app.db, passage, sitting, queue=_queue(app, passage_id, wanted), asks=_asks(app))
    data["heard"] = dict(list(here.heard.items())[-SITTINGS:])
    desk_component()(key=KEY, data=data, default={"sent": None}, on_sent_change=hear)
    # In the first run after a restart the component's state is known only now that it is there.
    if hear():
        st.rerun()
    if here.job:
        _watch(app)


def _queue(app: App, passage_id: int, wanted: PassageFilter) -> dict[str, Any]:
    passages = Passages(app.db)
    before, after = passages.neighbours(passage_id, wanted)
    position, count = passages.position(passage_id, wanted)
    return {"position": position, "count": count, "previous": before is not None, "next": after is not None}


def _go(app: App, passage_id: int, wanted: PassageFilter) -> None:
    here = room()
    if here.go is None:
        return
    to, here.go = here.go, None
    if isinstance(to, str):
        before, after = Passages(app.db).neighbours(passage_id, wanted)
        found = after if to == "next" else before
        if found is None:
            notice_later(t("desk.no_more"))
    else:
        found = to
    if found is not None and found != passage_id:
        if here.left_open:
            notice_later(t("desk.left_open_at", passage=passage_id, count=here.left_open))
        st.query_params["id"] = str(found)
        st.rerun()


def _asks(app: App) -> list[tuple[str, str]]:
    known = latest_endpoint(app.db)
    model = [("model", f"{t('desk.ask')}: {known['endpoint']['model']}")] if known else []
    return [("offline", f"{t('desk.ask')}: {t('providers.offline')}"), *model]


def _answer(app: App, sitting: Sitting, action: Mapping[str, Any]) -> None:
    """What an action asks of somebody else: the guidelines, a suggestion, a text drafted anew."""
    kinds: dict[str, Callable[[App, Sitting, Mapping[str, Any]], None]] = {
        "suggest": _suggest,
        "redraft": _redraft,
        "guidelines": lambda app, *_: guidelines_dialog(app),
    }
    try:
        kinds[str(action["do"])](app, sitting, action)
    except SongclipError as error:
        sitting.error = error


def _suggest(app: App, sitting: Sitting, action: Mapping[str, Any]) -> None:
    sitting.suggestion_id = None
    if action.get("who") == "model":
        _start(app, "ask", {"ids": [sitting.passage_id]}, sitting.passage_id)
        return
    suggest(app.db, sitting.passage_id, provider_named("offline"))
    refresh(app.db, sitting)


def _redraft(app: App, sitting: Sitting, action: Mapping[str, Any]) -> None:
    parts = action.get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError("action_invalid", what="redraft.parts")
    sitting.suggestion_id = None
    if latest_endpoint(app.db):
        _start(app, "redraft", {"passage": sitting.passage_id, "parts": parts}, sitting.passage_id)
    else:
        redraft_now(app.db, sitting.passage_id, parts)


def _start(app: App, kind: str, params: dict[str, Any], passage_id: int) -> None:
    """Ask the model that was asked last, in the desk's own lane; its key comes from the environment."""
    known = latest_endpoint(app.db)
    if known is None:
        raise InputError("desk_no_model")
    resolve_key(Endpoint(**known["endpoint"]), "", os.environ)
    # Pressed again, it is a new attempt, whatever was answered before.
    asked = {**known, **params, "retry_since": now()}
    room().job = start_job(app, kind, asked, key=f"{kind}-{passage_id}").id


def _watch(app: App) -> None:
    """Wait for the desk's own job and show what came of it."""

    @st.fragment(run_every=POLL_SECONDS)
    def look() -> None:
        here = room()
        if here.job is None:
            return
        job = Jobs(app_home().open()).get(here.job)
        if job.state.active:
            st.caption(t("desk.asking"))
            return
        here.job = None
        if job.state is not JobState.DONE:
            notice_later(plain(job_sentence(job)) or t(f"jobs.state.{job.state.value}"))
        st.rerun()

    look()
