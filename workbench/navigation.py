"""The registry of pages: one place that says what there is, in which order and under which address."""

from dataclasses import dataclass

import streamlit as st

from workbench.components.shell import t


@dataclass(frozen=True)
class Entry:
    """A page: its file below ``pages/``, the section it stands in, its address and icon."""

    file: str
    section: str
    address: str
    icon: str
    hidden: bool = False

    @property
    def title(self) -> str:
        """The catalogue key of its title."""
        return f"pages.{self.address or 'overview'}"


ENTRIES = (
    Entry("system/overview.py", "start", "overview", ":material/cottage:"),
    Entry("texts/passages.py", "texts", "passages", ":material/menu_book:"),
    Entry("texts/annotate.py", "texts", "annotate", ":material/auto_awesome:"),
    Entry("texts/review.py", "texts", "review", ":material/edit_note:"),
    Entry("texts/quality.py", "texts", "quality", ":material/grading:"),
    Entry("images/collection.py", "images", "collection", ":material/imagesmode:"),
    Entry("images/pairs.py", "images", "pairs", ":material/link:"),
    Entry("model/dataset.py", "model", "dataset", ":material/dataset:"),
    Entry("model/train.py", "model", "train", ":material/model_training:"),
    Entry("model/run.py", "model", "run", ":material/monitoring:", hidden=True),
    Entry("model/results.py", "model", "results", ":material/leaderboard:"),
    Entry("search/browse.py", "search", "browse", ":material/image_search:"),
    Entry("system/jobs.py", "system", "jobs", ":material/pending_actions:"),
    Entry("system/settings.py", "system", "settings", ":material/tune:"),
)


def build() -> st.Page:
    """Declare every page to Streamlit and return the one that was asked for."""
    sections: dict[str, list[st.Page]] = {}
    for entry in ENTRIES:
        sections.setdefault(t(f"sections.{entry.section}"), []).append(
            st.Page(
                f"pages/{entry.file}",
                title=t(entry.title),
                icon=entry.icon,
                url_path=entry.address,
                default=entry is ENTRIES[0],
                visibility="hidden" if entry.hidden else "visible",
            )
        )
    return st.navigation(sections, expanded=True)


def run(page: st.Page) -> None:
    """Run the page; whoever is on another page than the desk has left it, which closes her revision."""
    if "desk-room" in st.session_state and page.url_path != "review":
        from workbench.components.desk.panel import leave_desk

        leave_desk()
    page.run()
