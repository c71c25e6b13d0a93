"""The desk's JavaScript, function by function, in the browser it runs in."""

import json

import pytest

from workbench.components.desk.component import BUNDLE, read

pytestmark = pytest.mark.e2e

NAMES = "pieces lanes caretStops stopAfter stopBefore placeOf codePointsBefore drawMarked commandOf caretStep foresee"
EXPORTED = [*NAMES.split(), "Outbox", "entityRows", "marksOf", "keep", "longChoice"]


@pytest.fixture(scope="module")
def run(browser):
    """A function that evaluates an expression in a page that holds the desk's scripts."""
    page = browser.new_page()
    page.set_content("<div id=root></div>")
    source = read(*BUNDLE) + f"\nObject.assign(window, {{ {', '.join(EXPORTED)} }});"
    page.evaluate(
        """async (source) => {
            const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            await import(address);
        }""",
        source,
    )
    yield lambda expression, *arguments: page.evaluate(expression, *arguments)
    page.close()


def test_pieces_cover_the_text_once_and_know_their_marks(run):
    marks = [{"start": 0, "end": 3}, {"start": 2, "end": 5}, {"start": 2, "end": 3}, {"start": 4, "end": 99}]
    found = run("(marks) => pieces(6, marks).map((p) => [p.start, p.end, p.marks.length])", marks)
    assert found == [[0, 2, 1], [2, 3, 3], [3, 5, 1], [5, 6, 0]]
    assert run("() => pieces(0, [])") == []


def test_overlapping_marks_have_lanes_of_their_own_and_free_ones_are_used_again(run):
    marks = [{"start": 0, "end": 4}, {"start": 2, "end": 6}, {"start": 4, "end": 8}, {"start": 5, "end": 7}]
    assert run("(marks) => lanes(marks)", marks) == [0, 1, 0, 2]


def test_code_points_are_counted_as_the_database_counts(run):
    text = "𠀋湖西湖𠮷"
    found = run(
        """(text) => {
            const root = document.getElementById("root");
            const marks = [[0, 2], [1, 5]].map(([start, end]) => ({ start, end, kind: "place", name: "" }));
            drawMarked(root, text, marks);
            const length = Array.from(text).length;
            const back = [];
            for (let at = 0; at <= length; at += 1) back.push(codePointsBefore(root, ...placeOf(root, at)));
            return [root.textContent, back, [...root.children].map((span) => span.textContent)];
        }""",
        text,
    )
    assert found == [text, list(range(len(text) + 1)), ["𠀋", "湖", "西湖𠮷"]]


def test_a_character_and_its_variation_selector_are_one_step(run):
    text = "葛󠄀洪𠮷"  # 葛 with a variation selector: two code points, one character
    stops = run("(text) => caretStops(text)", text)
    assert stops == [0, 2, 3, 4]
    assert run("(stops) => [stopAfter(stops, 0), stopBefore(stops, 2), stopAfter(stops, 4)]", stops) == [2, 0, 4]


def test_a_mark_more_draws_its_own_characters_anew_and_no_others(run):
    found = run(
        """() => {
            const root = document.getElementById("root");
            const mark = (start, end, more) => ({ start, end, kind: "place", name: "x", ...more });
            drawMarked(root, "德寿宫在望仙桥东", [mark(0, 3), mark(4, 7, { ghost: true })]);
            const before = [...root.children];
            const chosen = [mark(0, 3, { chosen: true }), mark(4, 7)];
            drawMarked(root, "德寿宫在望仙桥东", chosen);
            const after = [...root.children];
            const same = after.map((span) => before.includes(span));
            const seen = [same, after.map((span) => span.className), root.textContent];
            drawMarked(root, "𠮷", []);
            return [...seen, root.textContent];
        }"""
    )
    assert found[0] == [True, True, False, True]
    assert found[1:] == [["mark place chosen", "", "mark place", ""], "德寿宫在望仙桥东", "𠮷"]


def test_rows_that_show_the_same_stay_and_stand_in_the_new_order(run):
    found = run(
        """() => {
            const box = document.createElement("div");
            const row = (text) => [text, () => Object.assign(document.createElement("p"), { textContent: text })];
            keep(box, ["a", "b", "c", "d"].map(row));
            const before = [...box.children];
            keep(box, ["c", "a", "x", "d"].map(row));
            const after = [...box.children];
            keep(box, []);
            return [after.map((one) => one.textContent), after.map((one) => before.indexOf(one)), box.children.length];
        }"""
    )
    assert found == [["c", "a", "x", "d"], [2, 0, -1, 3], 0]


def test_a_long_list_is_there_when_somebody_goes_to_it(run):
    found = run(
        """() => {
            const many = () => ["e1", "e2", "e3"].map((id) => [id, `name of ${id}`]);
            const list = (event) => {
                const select = longChoice(many, "e2", "name of e2", () => {});
                document.getElementById("root").replaceChildren(select);
                const said = [select.options.length, select.selectedOptions[0].textContent];
                event(select);
                return [...said, select.options.length, select.value];
            };
            return [list((select) => select.focus()), list((select) => select.dispatchEvent(new Event("pointerdown")))];
        }"""
    )
    assert found == [[1, "name of e2", 3, "e2"]] * 2


def test_names_are_drawn_as_text(run):
    found = run(
        """() => {
            const root = document.getElementById("root");
            drawMarked(root, "<img src=x onerror=alert(1)>", [{ start: 0, end: 5, kind: "place", name: "<b>" }]);
            return [root.querySelectorAll("img").length, root.textContent];
        }"""
    )
    assert found == [0, "<img src=x onerror=alert(1)>"]


KEYS = [
    ({"key": "n"}, "next"),
    ({"key": "。"}, "item_next"),
    ({"key": "3"}, "class_office"),
    ({"key": "Enter", "ctrlKey": True}, "approve"),
    ({"key": "Enter", "ctrlKey": True, "shiftKey": True}, "approve_next"),
    ({"key": "z", "metaKey": True}, "undo"),
    ({"key": "Z", "ctrlKey": True, "shiftKey": True}, "redo"),
    ({"key": "Delete", "ctrlKey": True}, "remove_mention"),
    ({"key": "Delete"}, None),
    ({"key": "Backspace"}, None),
    ({"key": "n", "ctrlKey": True}, None),
    ({"key": "n", "altKey": True}, None),
    ({"key": "n", "isComposing": True}, None),
    ({"key": "n", "keyCode": 229}, None),
    ({"key": "Process"}, None),
    ({"key": "1", "isComposing": True}, None),
    ({"key": "Enter", "ctrlKey": True, "isComposing": True}, None),
]


@pytest.mark.parametrize(("event", "command"), KEYS, ids=lambda value: json.dumps(value))
def test_keys(run, event, command):
    assert run("(event) => commandOf({ target: document.body, ...event })", event) == command


def test_in_a_field_letters_are_letters(run):
    typed = """(key) => commandOf({ target: document.createElement("textarea"), ...key })"""
    for key in ("n", "1", "A", "[", "."):
        assert run(typed, {"key": key}) is None
    assert run(typed, {"key": "z", "ctrlKey": True}) is None, "the browser's own undo of the field"
    assert run(typed, {"key": "Escape"}) == "leave"
    assert run(typed, {"key": "Enter", "ctrlKey": True}) == "approve"


def test_no_bare_key_means_a_removal(run):
    for key in [chr(code) for code in range(32, 127)] + ["Delete", "Backspace", "Insert", "F1", "Tab"]:
        command = run("(key) => commandOf({ target: document.body, key })", key)
        assert command is None or not command.startswith(("remove", "discard")), key


def test_arrows_follow_the_direction_of_writing(run):
    assert run("() => ['ArrowRight', 'ArrowDown'].map((key) => caretStep(key, false))") == ["on", "line_on"]
    assert run("() => ['ArrowDown', 'ArrowLeft'].map((key) => caretStep(key, true))") == ["on", "line_on"]


def test_what_one_does_is_shown_before_the_server_answers(run):
    value = {
        "english": "",
        "entities": [{"id": "e1", "name": "望仙", "mentions": [[4, 6], [9, 11]]}],
        "relations": [{"code": "beside"}],
    }
    actions = [
        {"do": "set_text", "field": "english", "value": "x"},
        {"do": "move_mention", "entity": "e1", "span": [4, 6], "to": [4, 7]},
        {"do": "move_mention", "entity": "e1", "span": [4, 7], "to": [4, 8]},
        {"do": "remove_mention", "entity": "e1", "span": [9, 11]},
        {"do": "set_relation", "index": 0, "field": "code", "value": "east_of"},
        {"do": "accept_all"},
    ]
    seen = run("([value, actions]) => foresee(value, actions)", [value, actions])
    assert seen["english"] == "x" and seen["relations"] == [{"code": "east_of"}]
    assert seen["entities"][0]["mentions"] == [[4, 8]]


def test_actions_wait_until_they_are_acknowledged_also_after_one_has_gone_on(run):
    found = run(
        """() => {
            const sent = [];
            const box = new Outbox((batch) => sent.push(batch));
            box.begin({ sitting: "a", passage: 1, version: 3 }, 4);
            for (const value of ["x", "xy"]) box.add({ do: "set_text", field: "english", value }, { replace: true });
            box.flush();
            box.add({ do: "set_text", field: "english", value: "xyz" }, { replace: true });
            box.acknowledge(6, { sitting: "a", passage: 1, version: 4 });
            const kept = box.waiting.map((action) => [action.n, action.value]);
            box.begin({ sitting: "b", passage: 2, version: 0 }, 0);
            box.add({ do: "undo" });
            box.flush();
            const both = sent[1].batches.map((batch) => [batch.sitting, batch.actions.map((action) => action.n)]);
            box.acknowledgeLeft({ a: 6 });
            const still = box.left.length;
            box.acknowledgeLeft({ a: 7 });
            const first = sent[0].batches[0].actions.map((action) => [action.n, action.value]);
            return [first, kept, both, still, box.pending];
        }"""
    )
    # The two words of one field are one action; numbers go on from what was acknowledged.
    assert found == [[[6, "xy"]], [[7, "xyz"]], [["a", [7]], ["b", [1]]], 1, 1]


def test_back_at_a_passage_no_number_is_given_twice(run):
    found = run(
        """() => {
            const sent = [];
            const box = new Outbox((batch) => sent.push(batch));
            box.begin({ sitting: "a", passage: 1 }, 4);
            for (const value of ["x", "y"]) box.add({ do: "add_alternative", value });
            box.flush();
            box.begin({ sitting: "b", passage: 2 }, 0);
            box.begin({ sitting: "a", passage: 1 }, 5);
            box.add({ do: "undo" });
            box.flush();
            const said = (batch) => batch.actions.map((action) => [action.n, action.do]);
            return [box.left.length, sent[1].batches.map(said)];
        }"""
    )
    assert found == [0, [[[6, "add_alternative"], [7, "undo"]]]]


def test_rows_stand_in_the_order_of_the_text(run):
    value = {"entities": [{"id": "e1", "mentions": [[9, 11]]}, {"id": "e2", "mentions": []}]}
    items = [
        {"part": "entity", "key": "k", "state": "undecided", "of": None, "entity": {"mentions": [[2, 4]]}},
        {"part": "entity", "key": "l", "state": "accepted", "of": "e1", "entity": {"mentions": [[9, 11]]}},
        {"part": "english", "key": "m", "state": "undecided"},
    ]
    rows = run("([v, i]) => entityRows(v, i).map((row) => row.item ? row.item.key : row.entity.id)", [value, items])
    assert rows == ["k", "e1", "e2"]
