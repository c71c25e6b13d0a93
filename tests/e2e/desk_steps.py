"""What a person does at the desk, in Chromium, and what is stored of it."""

import json
import time

from playwright.sync_api import Page, expect

from core.texts.annotation import AnnotationValue, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.home import Home
from db.passages import Passages

PASSAGE = ".songclip-desk .songclip-passage"


def seed(home: Home, *texts: str) -> list[int]:
    """A person's project with these passages."""
    db = home.open()
    home.mark(db, "person")
    ids = Passages(db).add([NewPassage("梦粱录", "卷八", text) for text in texts]).ids
    db.conn.close()
    return list(ids)


def stored(home: Home, passage_id: int):
    """The annotation as another process reads it."""
    db = home.open()
    try:
        return Annotations(db).get(passage_id)
    finally:
        db.conn.close()


def write(home: Home, passage_id: int, value: AnnotationValue, *, who: str, status: Status = Status.DRAFT) -> None:
    """A colleague's save, past the browser."""
    db = home.open()
    annotations = Annotations(db)
    annotations.save(passage_id, value, status, version=annotations.get(passage_id).version, who=who, why="edited")
    db.conn.close()


def wait_for(home: Home, passage_id: int, right, seconds: float = 20):
    """Wait until what is stored is right, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        annotation = stored(home, passage_id)
        if right(annotation):
            return annotation
        time.sleep(0.1)
    raise AssertionError(json.dumps(str(annotation), ensure_ascii=False))


def select(page: Page, start: int, end: int) -> None:
    """Select characters (code points) of the passage with the mouse."""
    places = page.locator(PASSAGE).evaluate(
        """(root, [start, end]) => {
            const places = []; const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
                let unit = 0;
                for (const char of walk.currentNode.data) {
                    places.push([walk.currentNode, unit, unit + char.length]);
                    unit += char.length;
                }
            }
            const rect = ([node, from, to]) => {
                const range = document.createRange(); range.setStart(node, from); range.setEnd(node, to);
                return range.getBoundingClientRect();
            };
            const first = rect(places[start]), last = rect(places[end - 1]);
            const vertical = root.classList.contains("vertical");
            return vertical
                ? [first.left + first.width / 2, first.top + 1, last.left + last.width / 2, last.bottom - 1]
                : [first.left + 1, first.top + first.height / 2, last.right - 1, last.top + last.height / 2];
        }""",
        [start, end],
    )
    page.mouse.move(places[0], places[1])
    page.mouse.down()
    page.mouse.move(places[2], places[3], steps=8)
    page.mouse.up()


def field(page: Page, name: str):
    """One of the long text fields."""
    return page.locator(f'.songclip-desk textarea[data-field="{name}"]')


def open_desk(reader, passage_id: int, **query: str) -> Page:
    """Open the desk at a passage and wait until it is there."""
    reader.goto("review", id=str(passage_id), **query)
    expect(reader.page.locator(PASSAGE)).to_be_visible()
    return reader.page
