"""What surrounds every page: its home, its language, its reviewer, and a sentence instead of a traceback."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import streamlit as st
from sqlite_utils import Database

from core.errors import SongclipError
from db.home import Home
from db.refusals import refusal
from workbench.i18n import LANGUAGES, Language, language_of, translate
from workbench.log import log_to
from workbench.serve import OWN_HOME_VARIABLE
from workbench.settings import Settings, default_home, load_settings

logger = logging.getLogger(__name__)

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^])")
_DRAWN_ANYWAY = re.compile(r"(:|@|www(?=\\\.))", re.IGNORECASE)
"""Addresses, e-mail and :names of pictures:, which are looked for after the escapes have gone."""


@dataclass(frozen=True)
class App:
    """What a page needs: its home, a connection of this script run, and who sits before it."""

    home: Home
    db: Database
    settings: Settings
    who: str
    demo: bool


def current_language() -> Language:
    """The language chosen in the sidebar, else the address's ``lang``, else the one this browser was told before.

    Else the settings', else the browser's own.
    """
    chosen = st.session_state.get("language")
    if chosen not in LANGUAGES:
        asked = st.query_params.get("lang") or remembered(LANGUAGE_COOKIE) or _settings_language() or st.context.locale
        chosen = language_of(asked)
        st.session_state["language"] = chosen
    language: Language = chosen
    return language


def _settings_language() -> str:
    try:
        return load_settings(default_home()).language
    except SongclipError:
        return ""  # said on the page itself, by its guard


def t(key: str, /, **details: object) -> str:
    """The sentence for a catalogue key in the reader's language."""
    return translate(key, current_language(), **details)


def plain(text: str) -> str:
    """Text from people or models for places that read Markdown: every mark escaped, nothing fetched or linked."""
    # A word joiner, which nobody sees, keeps apart what would be drawn as a link or an emoji in spite of its escapes.
    return _DRAWN_ANYWAY.sub("\\1\u2060", _MARKDOWN.sub(r"\\\1", text).replace("\n", " "))


def plain_details(error: SongclipError) -> dict[str, str]:
    """The details of an error for its sentence on the screen: names of files and people, titles of columns."""
    return {name: plain(str(detail)) for name, detail in error.details.items()}


def sorry(error: SongclipError) -> str:
    """The sentence of an error, for places that read Markdown."""
    return t(f"errors.{error.code}", **plain_details(error))


def reviewer() -> str:
    """Who sits before the page, as revisions name her."""
    return st.session_state.get("who") or t("shell.somebody")


def local_time(moment: str) -> str:
    """A stored UTC time by this machine's clock, where the person sits; with its day unless that is today."""
    at = datetime.fromisoformat(moment).astimezone()
    return at.strftime("%H:%M:%S" if at.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M")


def local_day_time(moment: str) -> str:
    """A stored UTC time as day, hours and minutes of this machine's clock."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def app_home() -> Home:
    """The home of this server."""
    return Home(default_home().absolute())


@contextmanager
def guarded(title: str) -> Iterator[None]:
    """Say every error as a sentence, with its traceback in the log only."""
    try:
        yield
    except SongclipError as error:
        logger.warning("%s: %s", title, error.code)
        st.error(sorry(error))
    except Exception as error:
        logger.exception("page %s broke", title)
        st.error(sorry(refusal(error, app_home().path) or SongclipError("unexpected", kind="")))


@contextmanager
def page(title: str = "", *, lead: bool = True) -> Iterator[App]:
    """Guard one page: title, open home, and every error as a sentence."""
    with guarded(title):
        home = app_home()
        db = home.open()
        settings = load_settings(home.path)
        log_to(home.logs / "songclip.log", settings.log_level)
        if title:
            st.title(t(f"pages.{title}"))
            if lead:
                st.caption(t(f"leads.{title}"))
        yield App(home, db, settings, reviewer(), home.marker(db) == "demo")


def style() -> None:
    """The few lines of CSS that the theme has no option for."""
    st.html(Path(__file__).with_name("shell.css"))


def sidebar() -> None:
    """Whose home this is, the language and the reviewer's name."""
    with st.sidebar:
        home = app_home()
        try:
            demo = home.exists() and home.marker(home.open()) == "demo"
        except SongclipError:
            demo = False
        if demo:
            st.warning(t("shell.demo_home"), icon=":material/palette:")
            own = os.environ.get(OWN_HOME_VARIABLE)
            if own and st.button(t("shell.begin_own"), icon=":material/add_home:", width="stretch"):
                _begin_own(Path(own))
        elif home.doubtful_place():
            st.warning(t("shell.doubtful_place"))
        current_language()
        st.segmented_control(
            t("shell.language"),
            list(LANGUAGES),
            format_func=lambda code: LANGUAGES[code],
            key="language",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
            on_change=lambda: st.session_state.update({"language-chosen": True}),
        )
        if "who" not in st.session_state:
            st.session_state["who"] = remembered(NAME_COOKIE)
        st.text_input(t("shell.who"), key="who", max_chars=60, placeholder=t("shell.somebody"), persist_state="session")
        chosen = current_language() if st.session_state.get("language-chosen") else ""
        _remember({NAME_COOKIE: st.session_state["who"], LANGUAGE_COOKIE: chosen})


NAME_COOKIE, LANGUAGE_COOKIE = "songclip_who", "songclip_language"


def remembered(cookie: str) -> str:
    """What this browser was told before; from a cookie that only this server gets."""
    told = st.context.cookies.get(cookie, "")
    return unquote(told)[:60] if isinstance(told, str) else ""


def _remember(cookies: dict[str, str]) -> None:
    remember = st.components.v2.component(
        "songclip_remember", js=Path(__file__).with_name("remember.js").read_text(encoding="utf-8")
    )
    remember(key="remember", data=cookies)


def _begin_own(path: Path) -> None:
    """Make the project; the server moves there by itself, and the browser follows when it is back."""
    own = Home(path)
    own.mark(own.open(), "person")
    st.info(t("shell.moving", path=plain(str(path))))
    moving = st.components.v2.component(
        "songclip_moving", js=Path(__file__).with_name("moving.js").read_text(encoding="utf-8")
    )
    moving(key="moving", data={"language": current_language()})
    st.stop()


def notice_later(text: str) -> None:
    """Say something after the rerun that follows a change."""
    st.session_state.setdefault("notices", []).append(text)


def show_notices() -> None:
    """Say what :func:`notice_later` kept."""
    for text in st.session_state.pop("notices", []):
        st.toast(text)
