"""Pictures in a grid, drawn from thumbnails."""

from collections.abc import Callable, Sequence

import streamlit as st

from core.imaging.store import ImageStore
from core.records import ImageRecord
from workbench.components.shell import App, plain, t


def gallery(
    app: App,
    images: Sequence[ImageRecord],
    *,
    caption: Callable[[int, ImageRecord], str] | None = None,
    below: Callable[[ImageRecord], None] | None = None,
    column_width: int = 180,
) -> None:
    """Draw pictures; ``caption`` gives the line under each (default: its title), ``below`` draws widgets there."""
    store = ImageStore(app.home.images)
    with st.grid(min_column_width=column_width):
        for position, image in enumerate(images):
            with st.container(border=True):
                file = store.thumbnail(image.sha256)
                if file.is_file():
                    st.image(str(file), width="stretch", alt=image.title or image.file_name)
                else:
                    st.caption(t("gallery.file_missing"))
                st.caption(plain(caption(position, image) if caption else image.title or image.file_name))
                if below:
                    below(image)
