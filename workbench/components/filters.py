"""The filter over passages that several pages share; on the desk it lives in the address."""

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core.texts.annotation import Status
from db.passages import Passages
from db.people import People
from db.queue import ORDERS, Order, PassageFilter
from workbench.components.shell import App, plain, t

FLAGS = ("problems", "disputed", "stale")
PARAMETERS = ("q", "work", "status", "who", "model", "flags", "order")
"""Names in the address; ``flags`` is a list with commas."""


def filter_to_address(wanted: PassageFilter) -> dict[str, str]:
    """The parameters of a filter: ``?q=西湖&status=draft&flags=problems,stale``; what restricts nothing has none."""
    values = {
        "q": wanted.text,
        "work": wanted.work,
        "status": wanted.status.value if wanted.status else "",
        "who": wanted.who,
        "model": wanted.model,
        "flags": ",".join(flag for flag in FLAGS if getattr(wanted, flag)),
        "order": "" if wanted.order == "source" else wanted.order,
    }
    return {name: value for name, value in values.items() if value}


def filter_from_address(
    asked: Mapping[str, str], *, works: Container[str], names: Container[str], models: Container[str]
) -> PassageFilter:
    """The filter that parameters ask for; what is not known here is left out."""

    def known(name: str, values: Container[str]) -> str:
        value = asked.get(name, "")
        return value if value in values else ""

    flags = asked.get("flags", "").split(",")
    status = known("status", [status.value for status in Status])
    order: Order = next((order for order in ORDERS if order == asked.get("order")), "source")
    return PassageFilter(
        text=asked.get("q", "").strip(),
        work=known("work", works),
        status=Status(status) if status else None,
        who=known("who", names),
        model=known("model", models),
        order=order,
        **{flag: flag in flags for flag in FLAGS},
    )


def _chosen(key: str, *, deleted: bool = False) -> PassageFilter:
    """What the widgets say."""

    def value(name: str) -> Any:
        return st.session_state.get(f"{key}-{name}") or ""

    flags = value("flags")
    return PassageFilter(
        text=value("text").strip(),
        work=value("work"),
        status=Status(value("status")) if value("status") else None,
        deleted=deleted,
        who=value("who"),
        model=value("model"),
        order=value("order") or "source",
        **{flag: flag in flags for flag in FLAGS},
    )


def _take_address(key: str, works: Container[str], names: Container[str], models: Container[str]) -> None:
    """Set the widgets to what the address asks for, where it was changed by somebody else than they.

    Coming from another page without a filter in the address brings back the one that was left here.
    """
    asked = {name: st.query_params[name] for name in PARAMETERS if name in st.query_params}
    kept: PassageFilter = st.session_state.get(f"{key}-kept", PassageFilter())
    arrived = f"{key}-text" not in st.session_state
    if not arrived and (asked == filter_to_address(kept) or _chosen(key) != kept):
        return
    wanted = filter_from_address(asked, works=works, names=names, models=models)
    if arrived and not asked:
        wanted = kept
    _fill(key, wanted)


def _fill(key: str, wanted: PassageFilter) -> None:
    """Set the widgets to a filter, before they are drawn."""
    widgets = {
        "text": wanted.text,
        "work": wanted.work,
        "status": wanted.status.value if wanted.status else "",
        "who": wanted.who,
        "model": wanted.model,
        "flags": [flag for flag in FLAGS if getattr(wanted, flag)],
        "order": wanted.order,
    }
    st.session_state.update({f"{key}-{name}": value for name, value in widgets.items()})


def _write_address(key: str, wanted: PassageFilter) -> None:
    """Say the filter in the address, and leave its other parameters alone."""
    st.session_state[f"{key}-kept"] = replace(wanted, deleted=False)
    address = filter_to_address(wanted)
    for name in PARAMETERS:
        if name in address and st.query_params.get(name) != address[name]:
            st.query_params[name] = address[name]
        elif name not in address and name in st.query_params:
            del st.query_params[name]


def filter_words(wanted: PassageFilter) -> list[str]:
    """What a filter restricts or orders by, a few words each; empty for the queue as it is without one."""
    named = {"who": wanted.who, "model": wanted.model}
    return [
        *([f"“{wanted.text}”"] if wanted.text else []),
        *([wanted.work] if wanted.work else []),
        *([t(f"status.{wanted.status.value}")] if wanted.status else []),
        *(f"{t(f'queue.{name}')} {value}" for name, value in named.items() if value),
        *(t(f"queue.flag_{flag}") for flag in FLAGS if getattr(wanted, flag)),
        *([t(f"queue.order_{wanted.order}")] if wanted.order != "source" else []),
    ]


def filter_line(app: App, wanted: PassageFilter, *, key: str, passage_id: int | None) -> None:
    """Say in one line what is filtered, where anything is, with a click that clears it and stays at the passage."""
    title = Passages(app.db).works()[wanted.work][0] if wanted.work else ""
    if words := filter_words(replace(wanted, work=title)):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("queue.filtered", what=plain(" · ".join(words))), width="content")
            st.button(
                t("queue.clear"),
                key=f"{key}-clear",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=_clear,
                args=(key, passage_id),
            )


def _clear(key: str, passage_id: int | None) -> None:
    _fill(key, PassageFilter())
    if passage_id is not None:
        st.query_params["id"] = str(passage_id)


def _second_row(key: str, names: list[str], models: list[str]) -> None:
    """Person, model and order, and below them what to look at."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, values in (("who", names), ("model", models)):
            st.selectbox(
                t(f"queue.{name}"),
                ["", *values],
                format_func=lambda value: value or t("filters.all"),
                key=f"{key}-{name}",
            )
        st.selectbox(t("queue.order"), ORDERS, format_func=lambda order: t(f"queue.order_{order}"), key=f"{key}-order")
    st.pills(
        t("queue.flags"),
        FLAGS,
        selection_mode="multi",
        format_func=lambda flag: t(f"queue.flag_{flag}"),
        key=f"{key}-flags",
    )


def passage_filter(
    app: App, *, key: str, deleted: bool = True, status: Status | None = None, address: bool = False
) -> PassageFilter:
    """Draw the filter and return what is wanted; text is matched with variants folded.

    ``status`` is the one chosen at first. With ``address`` the filter is read from and written to the address instead,
    so that it can be bookmarked and sent, and asks for person, model, order and what to look at as well.
    """
    works = Passages(app.db).works()
    names, models = (People(app.db).names(), Passages(app.db).models()) if address else ([], [])
    if address:
        _take_address(key, works, names, models)
    scope: Any = {} if address else {"persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("filters.text"), key=f"{key}-text", placeholder=t("filters.text_hint"), **scope)
        st.selectbox(
            t("filters.work"),
            ["", *works],
            format_func=lambda name: f"{works[name][0]} ({works[name][1]})" if name else t("filters.all"),
            key=f"{key}-work",
            **scope,
        )
        statuses = ["", *(status.value for status in Status)]
        st.selectbox(
            t("filters.status"),
            statuses,
            index=statuses.index(status.value) if status else 0,
            format_func=lambda code: t(f"status.{code}") if code else t("filters.all"),
            key=f"{key}-status",
            **scope,
        )
        only_deleted = deleted and st.checkbox(t("filters.deleted"), key=f"{key}-deleted")
    if address:
        _second_row(key, names, models)
    wanted = _chosen(key, deleted=bool(only_deleted))
    if address:
        _write_address(key, wanted)
    return wanted
