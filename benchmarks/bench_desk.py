"""The review desk over 50,000 passages with 500,000 entities, and over 1,000: milliseconds and their ratio.

The passages are generated from a seed: words of Southern Song sources in no order, as long as real passages are
(median about 390 characters), every twentieth with 西湖. Opening, searching, stepping and saving call what the page
calls; each is measured 200 times, the passage drawn anew each time. Flat is the goal: a ratio near 1. Last come whole
runs of the page (Streamlit's own test runner, in this process), and what a session weighs after many passages.
"""

import argparse
import json
import logging
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles

from sqlite_utils import Database
from streamlit.testing.v1 import AppTest

from core.annotation.gazetteer import known_names
from core.annotation.provider import Reply
from core.texts.annotation import AnnotationValue, Entity, Status, value_to_json
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.connection import transaction
from db.home import Home
from db.passages import PassageFilter, Passages
from db.suggestions import Suggestions
from workbench.components.desk.view import desk_data
from workbench.tasks.desk import receive
from workbench.tasks.sittings import sit_down

logging.disable(logging.WARNING)  # Streamlit outside a server warns at every look at its session

ROOT = Path(__file__).parents[1]
SIZES = (50_000, 1_000)
CALLS, ENTITIES, PER_PAGE = 200, 10, 50
WORKS = ("梦粱录", "武林旧事", "都城纪胜", "咸淳临安志", "西湖老人繁胜录", "淳祐临安志", "乾道临安志", "梦溪笔谈")
PEOPLE = ("沈", "林", "周", "吴", "潜")
MODELS = ("qwen-plus", "qwen-max")
NAMES = tuple(known.name for known in known_names() if "西湖" not in known.name)
PHRASES = """
在 之 其 有 以 而 于 为 曰 皆 建 今 废 址 存 元系 旧名 俗呼 赐第 郡守 重修 题额 碑记 五更 钟鸣 百官
侍从 朝参 每遇 圣节 四时 游赏 士庶 罗绮 箫鼓 画舫 酒楼 茶肆 诸行 百市 买卖 每日 城东 城西 城南 城北
门外 桥下 河塘 里许 三里 淳熙间 绍兴初 待漏院 大朝会 金钉朱户 画栋雕甍 覆以铜瓦 镌镂龙凤 飞骧之状
巍峨壮丽 光耀溢目 左右列阙 昼夜不绝
"""
WORDS = PHRASES.split()
FILTERED = PassageFilter(text="湖", status=Status.DRAFT, order="agreement")


def passage_and_value(number: int, chance: random.Random) -> tuple[NewPassage, AnnotationValue]:
    """One generated passage with ten entities, each where it stands in the text."""
    length = min(int(chance.lognormvariate(5.96, 0.9)) + 40, 12_000)
    text, entities = f"第{number}條，" + ("西湖" if number % 20 == 0 else ""), []
    while len(text) < length or len(entities) < ENTITIES:
        name = chance.choice(NAMES)
        if len(entities) < ENTITIES:
            span = (len(text), len(text) + len(name))
            entities.append(Entity(f"e{len(entities) + 1}", name, mentions=(span,), source_label="地点"))
        text += name + "".join(chance.choices(WORDS, k=chance.randint(3, 9))) + chance.choice("，。；、")
    value = AnnotationValue(
        entities=tuple(entities),
        modern_chinese=text[: length // 2],
        english="The palace lay east of the bridge. " * (length // 60),
        search_prompt=text[:40],
    )
    return NewPassage(chance.choice(WORKS), f"卷{number % 20 + 1}", text), value


def fill(db: Database, size: int) -> float:
    """Store the passages, a suggestion for each and a value for most; seconds of storing the passages alone."""
    chance = random.Random(size)
    made = [passage_and_value(number, chance) for number in range(size)]
    began = time.perf_counter()
    ids = Passages(db).add(passage for passage, _ in made).ids
    seconds = time.perf_counter() - began
    statuses = (Status.DRAFT, Status.SUBMITTED, Status.APPROVED)
    annotations, suggestions, passages = Annotations(db), Suggestions(db), Passages(db)
    with transaction(db):
        for passage_id, (_, value) in zip(ids, made, strict=True):
            passage = passages.get(passage_id)
            reply = Reply(value, value_to_json(value), "local", chance.choice(MODELS))
            suggestions.add(passage, reply)
            version = annotations.get(passage_id).version
            annotations.save(
                passage_id,
                value,
                chance.choice(statuses) if chance.random() < 0.6 else Status.SUGGESTED,
                version=version,
                who=chance.choice(PEOPLE),
                why="edited",
            )
        db.execute(
            "UPDATE annotations SET problems = passage_id * 7 % 11 % 4, agreement = passage_id * 37 % 101 / 100.0"
        )
    return seconds


def open_passage(db: Database, passage_id: int) -> None:
    """All that the desk needs to draw a passage: value, suggestion item by item, findings, highlights, drawing."""
    passage = Passages(db).get(passage_id)
    desk_data(db, passage, sit_down(db, passage_id), queue={}, asks=[])


def save_value(db: Database, passage_id: int, number: int) -> None:
    """What happens when somebody has typed: her action applied, checked and stored."""
    sitting = sit_down(db, passage_id)
    action = {"n": 1, "do": "set_note", "value": f"第{number}次"}
    receive(db, sitting, {"passage": passage_id, "sitting": sitting.token, "actions": [action]}, who=PEOPLE[0])


def search(db: Database, text: str) -> None:
    """The first page of what is found, and how much that is."""
    wanted = PassageFilter(text=text)
    Passages(db).page(wanted, limit=PER_PAGE)
    Passages(db).count(wanted)


def step(db: Database, passage_id: int, wanted: PassageFilter) -> None:
    """The passages before and after, and the place among all that match."""
    Passages(db).neighbours(passage_id, wanted)
    Passages(db).position(passage_id, wanted)


def actions(db: Database) -> Iterator[tuple[str, Callable[[int, int], None]]]:
    """What is measured: a name, and a function of a passage and the number of the call."""
    yield "open a passage", lambda passage_id, _: open_passage(db, passage_id)
    yield "search 西湖", lambda *_: search(db, "西湖")
    yield "search 之, in nearly all", lambda *_: search(db, "之")
    yield "next and previous", lambda passage_id, _: step(db, passage_id, PassageFilter())
    yield "the same, filtered", lambda passage_id, _: step(db, passage_id, FILTERED)
    yield "save", lambda passage_id, number: save_value(db, passage_id, number)


class Page:
    """The review page, run whole on the home as a browser's session would."""

    def __init__(self, home: Home) -> None:
        os.environ["SONGCLIP_HOME"] = str(home.path)
        self.app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=120)
        self.app.query_params["lang"] = "en"
        self.app.run()
        self.app.switch_page("pages/texts/review.py").run()

    def go(self, passage_id: int, text: str = "") -> None:
        """Open the page at a passage, over a search or over everything."""
        self.app.query_params["id"] = str(passage_id)
        self.app.query_params["q"] = text
        self.app.run()
        assert not self.app.exception and not self.app.error


def page_actions(page: Page) -> Iterator[tuple[str, Callable[[int, int], None]]]:
    """Whole runs of the page."""
    yield "the page at another passage", lambda passage_id, _: page.go(passage_id)
    yield "the page at a search 西湖", lambda passage_id, _: page.go(passage_id, "西湖")


def weight() -> float:
    """The most this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(act: Callable[[int, int], None], ids: list[int], calls: int) -> tuple[float, float]:
    """p50 and p95 of an action, in milliseconds."""
    chance = random.Random(calls)
    taken = []
    for number in range(calls):
        passage_id = chance.choice(ids)
        began = time.perf_counter()
        act(passage_id, number)
        taken.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(taken, n=20)
    return round(cuts[9], 2), round(cuts[18], 2)


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--sizes", type=int, nargs=2, default=SIZES)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, list[tuple[float, float]]] = {}
    stored: list[dict[str, float]] = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            db = home.open()
            seconds = fill(db, size)
            ids = Passages(db).ids()
            for name, act in actions(db):
                figures.setdefault(name, []).append(measure(act, ids, given.calls))
            page = Page(home)
            for name, act in page_actions(page):
                figures.setdefault(name, []).append(measure(act, ids, max(given.calls // 4, 10)))
            before = weight()
            for passage_id in ids[: 5 * given.calls : 5]:
                page.go(passage_id)
            grown = weight() - before
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            megabytes = home.database.stat().st_size / 1e6
            index = db.execute("SELECT sum(length(block)) FROM passage_search_data").fetchone()[0] / 1e6
            db.conn.close()
        stored.append(
            {
                "passages": size,
                "import_ms_each": round(seconds * 1000 / size, 3),
                "file_mb_per_10000": round(megabytes * 10_000 / size, 1),
                "text_index_mb_per_10000": round(index * 10_000 / size, 1),
                f"session_mb_more_after_{given.calls}_passages": round(grown, 1),
            }
        )
    if given.json:
        print(json.dumps({"calls": given.calls, "stored": stored, "p50_p95_ms": figures}, ensure_ascii=False, indent=1))
        return
    large, small = given.sizes
    print(f"milliseconds (p50 / p95 of {given.calls} calls)")
    print(f"{f'{large:,} passages':>20} {f'{small:,} passages':>20} {'ratio':>13}")
    for name, ((p50, p95), (small50, small95)) in figures.items():
        pair, small_pair = f"{p50:.2f} / {p95:.2f}", f"{small50:.2f} / {small95:.2f}"
        print(f"{pair:>20} {small_pair:>20} {f'{p50 / small50:.1f} / {p95 / small95:.1f}':>13}  {name}")
    for row in stored:
        print(row)


if __name__ == "__main__":
    main()
