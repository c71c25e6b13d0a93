"""Pairs: choose a passage, connect the pictures that show what it says, refuse those that only look so."""

from dataclasses import replace

import streamlit as st

from core.records import ImageRecord
from core.texts.annotation import CLASSES, AnnotationValue
from core.texts.passage import Passage
from db.annotations import Annotations
from db.images import Images, Pairs
from db.passages import Passages
from workbench.components.filters import passage_filter
from workbench.components.gallery import gallery
from workbench.components.pairing import pair_buttons, pairs_as_tables, undo_disconnect
from workbench.components.passage_view import passage_view
from workbench.components.shell import App, page, t
from workbench.tasks.models import finished_runs
from workbench.tasks.searching import search

PAGE_SIZE = 24
CHOICES = 500


def choose_passage(app: App) -> int | None:
    """The passage to work on, in the address; at most the first 500 are offered, the filter finds the rest.

    It stays when it leaves the filter by what is done here; another filter begins with its first passage.
    """
    passages, state = Passages(app.db), st.session_state
    wanted = passage_filter(app, key="pairs", deleted=False)
    wanted = replace(wanted, unpaired=st.toggle(t("pairs.unpaired"), key="pairs-unpaired", persist_state="session"))
    found = passages.page(wanted, limit=CHOICES)
    asked = passages.find(st.query_params.get("id", ""))
    numbers = {row.passage.id: row.images for row in found}
    chosen = asked.id if asked and not asked.deleted_at else next(iter(numbers), None)
    if wanted != state.get("pairs-wanted", wanted) and chosen not in numbers:
        chosen = next(iter(numbers), None)
    state["pairs-wanted"] = wanted
    if chosen is None:
        st.info(t("passages.none"))
        return None
    st.query_params["id"] = str(chosen)
    offered = {row.passage.id: row.passage for row in found}
    if chosen not in offered:
        offered = {chosen: passages.get(chosen), **offered}
        numbers[chosen] = len(Pairs(app.db).images_of(chosen))
    names = {i: f"#{i} {p.source} · {p.text[:40]} ({numbers[i]})" for i, p in offered.items()}
    state["pairs-passage"] = chosen
    before, after = passages.neighbours(chosen, wanted)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            t("pairs.passage"), list(names), format_func=lambda i: names[i], key="pairs-passage", on_change=_go
        )
        for name, to in (("previous", before), ("next", after)):
            st.button(
                t(f"pairs.{name}"), key=f"pairs-{name}", disabled=to is None, on_click=_go, args=(to,), width="content"
            )
    return chosen


def _go(passage_id: int | None = None) -> None:
    st.query_params["id"] = str(passage_id or st.session_state["pairs-passage"])


def described(app: App) -> tuple[list[ImageRecord], dict[int, str]]:
    """A page of the collection by what its descriptions say."""
    text = st.text_input(t("filters.text"), key="pairs-images-text", persist_state="session") or ""
    pages = max(-(-Images(app.db).count(text) // PAGE_SIZE), 1)
    number = st.pagination(pages, key=f"pairs-page-{text}") if pages > 1 else 1
    return Images(app.db).page(text, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE), {}


def looking_alike(app: App, passage: Passage, value: AnnotationValue) -> tuple[list[ImageRecord], dict[int, str]]:
    """What a model finds for the passage, with the score of each: where it is wrong, a refusal teaches it most."""
    left, right = st.columns([1, 2])
    runs = ["", *finished_runs(app.home, app.db)]
    run = left.selectbox(t("browse.model"), runs, int(len(runs) > 1), format_func=lambda name: name or t("browse.base"))
    asked = value.search_prompt or value.modern_chinese or passage.text
    text = right.text_input(t("pairs.ask"), asked, max_chars=500, key=f"pairs-asked-{passage.id}")
    if not (text or "").strip():
        st.info(t("pairs.ask_something"))
        return [], {}
    with st.spinner(t("browse.working")):
        found = search(app.home, app.db, text, run=run, top=PAGE_SIZE)
    return [hit.image for hit in found], {
        hit.image.id: f"{hit.rank} · {hit.image.title or hit.image.file_name} · {hit.score:.3f}" for hit in found
    }


def offer(app: App, passage: Passage, value: AnnotationValue, settled: set[int]) -> None:
    """Pictures nothing was said of yet."""
    st.subheader(t("pairs.choose"))
    if not Images(app.db).count():
        st.info(t("pairs.no_images"))
        st.page_link("pages/images/collection.py", label=t("pages.collection"), icon=":material/imagesmode:")
        return
    order = st.segmented_control(
        t("pairs.order"),
        ("described", "alike"),
        default="described",
        required=True,
        format_func=lambda name: t(f"pairs.{name}"),
        key="pairs-find",
        persist_state="session",
    )
    images, said = looking_alike(app, passage, value) if order == "alike" else described(app)
    left = [image for image in images if image.id not in settled]
    if images and not left:
        st.caption(t("pairs.none_left"))
    gallery(
        app,
        left,
        caption=lambda _, image: said.get(image.id, image.title or image.file_name),
        below=lambda image: pair_buttons(app, passage.id, image, "open"),
    )


with page("pairs") as app:
    chosen = choose_passage(app)
    if chosen is not None:
        passage = Passages(app.db).get(chosen)
        value = Annotations(app.db).get(chosen).value
        labels = {kind: t(f"classes.{kind}") for kind in CLASSES}
        passage_view(passage.text, value, key=f"pairs-view-{chosen}", labels=labels)
        undo_disconnect(app, chosen)
        linked = Pairs(app.db).images_of(chosen)
        refused = Pairs(app.db).images_of(chosen, refused=True)
        st.subheader(t("pairs.now", count=len(linked)))
        gallery(app, linked, below=lambda image: pair_buttons(app, passage.id, image, "paired"))
        if refused:
            with st.expander(t("pairs.refused", count=len(refused)), icon=":material/block:", key="pairs-refused"):
                st.caption(t("pairs.refused_why"))
                gallery(app, refused, below=lambda image: pair_buttons(app, passage.id, image, "refused"))
        offer(app, passage, value, {image.id for image in (*linked, *refused)})
    pairs_as_tables(app)
