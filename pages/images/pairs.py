"""Pairs: choose a passage, connect the pictures that show what it says."""

import streamlit as st

from core.records import ImageRecord
from core.texts.annotation import CLASSES
from db.annotations import Annotations
from db.images import Images, Pairs
from db.passages import Passages
from workbench.components.filters import passage_filter
from workbench.components.gallery import gallery
from workbench.components.passage_view import passage_view
from workbench.components.reports import show_rejected
from workbench.components.shell import App, page, t
from workbench.tasks.images import export_pairs, import_pairs

PAGE_SIZE = 24
CHOICES = 500


def choose_passage(app: App) -> int | None:
    """The passage to work on, over the filter; at most the first 500 are offered, the filter finds the rest."""
    wanted = passage_filter(app, key="pairs", deleted=False)
    found = Passages(app.db).page(wanted, limit=CHOICES)
    if not found:
        st.info(t("passages.none"))
        return None
    names = {
        row.passage.id: f"#{row.passage.id} {row.passage.source} · {row.passage.text[:40]} ({row.images})"
        for row in found
    }
    return st.selectbox(t("pairs.passage"), list(names), format_func=lambda i: names[i])


def pair_button(app: App, passage_id: int, paired: set[int], image: ImageRecord) -> None:
    """One picture's button. Buttons, not ticks: a tick remembers, and would undo what a colleague did meanwhile."""
    key = f"pair-{passage_id}-{image.id}"
    if image.id in paired:
        if st.button(t("pairs.disconnect"), key=key, icon=":material/link_off:", width="stretch"):
            Pairs(app.db).remove(passage_id, image.id)
            st.rerun()
    elif st.button(t("pairs.connect"), key=key, icon=":material/add_link:", width="stretch"):
        Pairs(app.db).add([(passage_id, image.id, "")], who=app.who)
        st.rerun()


def exchange(app: App) -> None:
    """The pairs as a table, out and in."""
    with st.expander(t("pairs.exchange"), icon=":material/table:"):
        table = export_pairs(app.db).encode("utf-8-sig")
        st.download_button(t("pairs.download"), table, "pairs.csv", "text/csv")
        file = st.file_uploader(t("pairs.upload"), type=["csv", "tsv", "xlsx"])
        if file and st.button(t("pairs.upload_save")):
            report = import_pairs(app.db, file.getvalue(), who=app.who)
            st.success(t("pairs.imported", count=report.added, present=report.present))
            show_rejected(report.rejected)


with page("pairs") as app:
    chosen = choose_passage(app)
    if chosen is not None:
        passage_id: int = chosen
        passage = Passages(app.db).get(passage_id)
        value = Annotations(app.db).get(passage_id).value
        labels = {kind: t(f"classes.{kind}") for kind in CLASSES}
        passage_view(passage.text, value, key=f"pairs-view-{passage_id}", labels=labels)
        linked = Pairs(app.db).images_of(passage_id)
        paired = {image.id for image in linked}

        def button(image: ImageRecord) -> None:
            """The button below a picture."""
            pair_button(app, passage_id, paired, image)

        st.subheader(t("pairs.now", count=len(linked)))
        if linked:
            gallery(app, linked, below=button)
        st.subheader(t("pairs.choose"))
        text = st.text_input(t("filters.text"), key="pairs-images-text", persist_state="session") or ""
        count = Images(app.db).count(text)
        pages = max(-(-count // PAGE_SIZE), 1)
        number = st.pagination(pages, key=f"pairs-page-{text}") if pages > 1 else 1
        offered = Images(app.db).page(text, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
        if not count:
            st.info(t("pairs.no_images"))
            st.page_link("pages/images/collection.py", label=t("pages.collection"), icon=":material/imagesmode:")
        gallery(app, [image for image in offered if image.id not in paired], below=button)
    exchange(app)
