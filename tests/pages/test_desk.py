"""The desk's page: every action a browser reports, and what is stored and shown after it."""

import itertools
import json

import pytest

from core.annotation.provider import Reply
from core.texts.annotation import AnnotationValue, Entity, Relation, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.guidelines import Guidelines
from db.passages import Passages
from db.suggestions import Suggestions

RARE = "政和𠮷年七月甲子鄱陽洪邁記"
BRIDGES = "德寿宫在望仙桥东，望仙桥北曰舍人桥。"


class Desk:
    """A browser at the desk: sends actions as the component does, and reads what it is given to draw."""

    def __init__(self, app, home):
        self.app, self.home = app, home
        self.numbers = itertools.count(1)
        data = self.data
        self.begin = {name: data[name] for name in ("passage", "sitting", "version", "revision")}

    @property
    def data(self):
        found = list(_components(self.app.main))
        assert len(found) == 1, [error.value for error in self.app.error]
        return json.loads(found[0].proto.json)

    def act(self, *actions):
        """Send actions and return what is shown then; every action is numbered as the browser numbers it."""
        if (data := self.data)["sitting"] != self.begin["sitting"]:
            self.begin = {name: data[name] for name in self.begin}
            self.numbers = itertools.count(data["ack"] + 1)
        numbered = [{**action, "n": next(self.numbers)} for action in actions]
        self.send(numbered)
        return self.data

    def send(self, numbered):
        self.app.session_state["desk"] = {"sent": {"batches": [{**self.begin, "actions": numbered}]}}
        self.app.run()
        assert not self.app.exception

    @property
    def stored(self):
        return Annotations(self.home.open()).get(self.begin["passage"])

    @property
    def history(self):
        return Annotations(self.home.open()).history(self.begin["passage"])


def _components(block):
    for child in block.children.values():
        if getattr(child, "type", "") == "bidi_component" and child.proto.component_name == "songclip_desk":
            yield child
        if hasattr(child, "children"):
            yield from _components(child)


@pytest.fixture
def desk_at(filled, open_page):
    """Open the desk at a passage; ids as in ``filled``, or a new passage of that text."""

    def open_(passage, language="en", **query):
        if isinstance(passage, str):
            passage = Passages(filled.open()).add([NewPassage("梦粱录", "卷九", passage)]).ids[0]
        return Desk(open_page("texts/review.py", language, id=str(passage), **query), filled)

    return open_


def names(desk):
    return [entity.name for entity in desk.stored.value.entities]


def test_looking_saves_nothing(desk_at):
    desk = desk_at(3)
    assert desk.data["untouched"] and any("nobody has confirmed" in note for note in desk.data["notes"])
    assert {item["state"] for item in desk.data["items"]} == {"undecided"}
    assert desk.stored.status is Status.SUGGESTED and desk.stored.value == AnnotationValue()


def test_an_entity_is_added_moved_edited_and_removed(desk_at):
    desk = desk_at(RARE)
    shown = desk.act({"do": "add_entity", "span": [10, 12], "kind": "person"})
    assert names(desk) == ["洪邁"] and desk.stored.value.entities[0].mentions == ((10, 12),)
    made = shown["chosen"]["entity"]
    desk.act({"do": "move_mention", "entity": made, "span": [10, 12], "to": [1, 4]})
    assert desk.stored.value.entities[0].mentions == ((1, 4),)
    for field, typed in (
        ("name", "和𠮷年"),
        ("kind", "date"),
        ("source_label", "年号"),
        ("certainty", "uncertain"),
        ("note", "待考"),
        ("english", "the year of Zhenghe"),
    ):
        desk.act({"do": "set_entity", "entity": made, "field": field, "value": typed})
        assert getattr(desk.stored.value.entities[0], field) == typed
    desk.act({"do": "remove_mention", "entity": made, "span": [1, 4]})
    assert desk.stored.value.entities[0].mentions == ()
    desk.act({"do": "remove_entity", "entity": made})
    assert names(desk) == []
    # All of it in one sitting is one revision.
    assert [revision.why for revision in desk.history] == ["edited"]


def test_all_places_of_an_entity_at_once(desk_at):
    desk = desk_at(BRIDGES)
    made = desk.act({"do": "add_entity", "span": [4, 7], "kind": "place"})["chosen"]["entity"]
    desk.act({"do": "mark_all", "entity": made})
    assert desk.stored.value.entities[0].mentions == ((4, 7), (9, 12))
    assert desk.stored.value.entities[0].type == "bridge"


def test_what_the_browser_makes_up_changes_nothing_and_is_said(desk_at):
    desk = desk_at(RARE)
    shown = desk.act({"do": "add_entity", "span": [10, 99], "kind": "person"})
    assert shown["error"] and desk.stored.revision == 0
    assert not desk.act({"do": "add_entity", "span": [10, 12], "kind": "person"})["error"]
    assert names(desk) == ["洪邁"]


def test_items_of_a_suggestion_one_by_one(desk_at):
    desk = desk_at(3)
    keys = [item["key"] for item in desk.data["items"] if item["part"] == "entity"]
    shown = desk.act({"do": "accept", "key": keys[0]}, {"do": "reject", "key": keys[1]})
    states = {item["key"]: item["state"] for item in shown["items"]}
    assert (states[keys[0]], states[keys[1]]) == ("accepted", "rejected")
    assert len(names(desk)) == 1 and desk.stored.value.rejected == (keys[1],)
    entity = shown["value"]["entities"][0]
    shown = desk.act({"do": "set_entity", "entity": entity["id"], "field": "type", "value": "hall"})
    edited = next(item for item in shown["items"] if item["key"] == keys[0])
    assert edited["state"] == "edited" and edited["of"] == entity["id"] and edited["says"]
    shown = desk.act({"do": "undecide", "key": keys[1]})
    assert {item["key"]: item["state"] for item in shown["items"]}[keys[1]] == "undecided"


def test_accepting_all_is_undone_and_redone_with_the_state(desk_at):
    desk = desk_at(3)
    desk.act({"do": "accept_all"})
    taken = desk.stored
    assert taken.status is Status.DRAFT and taken.value.entities
    assert desk.act({"do": "undo"})["redo"]
    assert (desk.stored.status, desk.stored.value) == (Status.SUGGESTED, AnnotationValue())
    desk.act({"do": "redo"})
    assert (desk.stored.status, desk.stored.value) == (Status.DRAFT, taken.value)


def test_only_what_was_accepted_is_approved(desk_at):
    desk = desk_at(3)
    shown = desk.act({"do": "approve"})
    assert "Nothing has been accepted" in shown["error"] and desk.stored.status is Status.SUGGESTED
    key = desk.data["items"][0]["key"]
    desk.act({"do": "accept", "key": key}, {"do": "approve"})
    assert desk.stored.status is Status.APPROVED and len(desk.stored.value.entities) == 1
    desk.act({"do": "undo"})
    assert desk.stored.status is Status.DRAFT
    other = desk_at(3)
    other.act({"do": "approve", "accept_all": True})
    assert other.stored.status is Status.APPROVED and len(other.stored.value.entities) > 1


def test_submit_discard_and_back(desk_at):
    desk = desk_at(2)
    desk.act({"do": "submit"})
    assert desk.stored.status is Status.SUBMITTED
    desk.act({"do": "discard"})
    assert desk.stored.status is Status.DISCARDED
    desk.act({"do": "undo"}, {"do": "undo"})
    assert desk.stored.status is Status.DRAFT
    assert [revision.why for revision in desk.history][:4] == ["undone", "undone", "discarded", "submitted"]
    desk.act({"do": "redo"})
    assert desk.stored.status is Status.SUBMITTED
    desk.app.session_state["desk-history"] = True
    desk.app.run()
    heads = [element.value for element in desk.app.markdown]
    assert any(head.endswith("submitted · redone") for head in heads), heads


def test_a_second_suggestion_is_compared_and_merged_item_by_item(desk_at, filled):
    passage = Passages(filled.open()).get(3)
    other = AnnotationValue(
        entities=(Entity("e1", "正门", type="gate", mentions=((2, 4),)),), english="The main gate is Lizheng."
    )
    first = Suggestions(filled.open()).latest(passage)
    Suggestions(filled.open()).add(passage, Reply(other, "{}", "local", "other-model"))
    desk = desk_at(3)
    assert desk.data["suggestion"]["label"].endswith(f"other-model · {desk.data['suggestion']['label'][-8:]}")
    key = next(item["key"] for item in desk.data["items"] if item["part"] == "english")
    desk.act({"do": "accept", "key": key})
    shown = desk.act({"do": "compare", "suggestion": first.id})
    assert shown["suggestion"]["id"] == first.id
    desk.act({"do": "accept", "key": next(item["key"] for item in shown["items"] if item["part"] == "entity")})
    value = desk.stored.value
    assert value.english == other.english and value.entities[0].name in {e.name for e in first.value.entities}


def test_relations_with_evidence_distance_and_a_contradiction(desk_at):
    desk = desk_at(BRIDGES)
    for span in ([0, 3], [4, 7]):
        desk.act({"do": "add_entity", "span": span, "kind": "place"})
    palace, bridge = (entity.id for entity in desk.stored.value.entities)
    desk.act({"do": "add_relation", "subject": palace, "code": "east_of", "object": bridge, "evidence": [3, 8]})
    for field, typed in (("distance", "三十"), ("unit", "步"), ("certainty", "less_certain"), ("note", "x")):
        desk.act({"do": "set_relation", "index": 0, "field": field, "value": typed})
    expected = Relation(palace, "east_of", bridge, "三十", "步", (3, 8), "less_certain", "x")
    assert desk.stored.value.relations == (expected,)
    shown = desk.act({"do": "add_relation", "subject": bridge, "code": "east_of", "object": palace})
    assert len(shown["contradictions"]) == 1 and all(edge["bad"] for edge in shown["drawing"]["edges"])
    grave = [finding for finding in shown["findings"] if finding["grave"]]
    assert {finding["where"] for finding in grave} == {"relation:0", "relation:1"}
    shown = desk.act({"do": "remove_relation", "index": 1})
    assert not shown["contradictions"]
    nodes = {node["id"]: node for node in shown["drawing"]["nodes"]}
    assert nodes[palace]["x"] > nodes[bridge]["x"]


def test_texts_highlights_and_what_has_no_rendering(desk_at):
    desk = desk_at(BRIDGES)
    desk.act(
        {"do": "add_entity", "span": [0, 3], "kind": "place"}, {"do": "add_entity", "span": [4, 7], "kind": "place"}
    )
    shown = desk.act(
        {"do": "set_text", "field": "modern_chinese", "value": "德寿宫在望仙桥的东面。"},
        {"do": "set_text", "field": "english", "value": "Deshou Palace lies to the east."},
    )
    palace, bridge = (entity.id for entity in desk.stored.value.entities)
    assert shown["highlights"]["modern_chinese"] == [[palace, 0, 3], [bridge, 4, 7]]
    assert [row[0] for row in shown["highlights"]["english"]] == [palace]
    missing = [finding for finding in shown["findings"] if "望仙桥" in finding["text"] and "English" in finding["text"]]
    assert [finding["where"] for finding in missing] == [bridge]
    shown = desk.act({"do": "set_entity", "entity": bridge, "field": "english", "value": "the east"})
    assert bridge in {row[0] for row in shown["highlights"]["english"]}


def test_competing_readings_stand_side_by_side(desk_at):
    desk = desk_at(BRIDGES)
    desk.act(
        {"do": "set_text", "field": "english", "value": "one reading"},
        {"do": "add_alternative", "field": "english", "text": "another reading", "note": "after 乙"},
        {"do": "prefer_alternative", "index": 0},
    )
    value = desk.stored.value
    assert value.english == "another reading"
    assert "one reading" in {reading.text for reading in value.alternatives}
    row = Annotations(filled_db(desk)).db.execute(
        "SELECT disputed FROM annotations WHERE passage_id = ?", [desk.begin["passage"]]
    )
    assert row.fetchone()[0] == 1


def filled_db(desk):
    return desk.home.open()


def test_typing_in_one_field_is_one_step_to_undo(desk_at):
    desk = desk_at(BRIDGES)
    for typed in ("D", "Des", "Deshou"):
        desk.act({"do": "set_text", "field": "english", "value": typed})
    desk.act({"do": "set_text", "field": "modern_chinese", "value": "德寿宫"})
    desk.act({"do": "undo"})
    assert (desk.stored.value.english, desk.stored.value.modern_chinese) == ("Deshou", "")
    desk.act({"do": "undo"})
    assert desk.stored.value.english == ""


def test_an_action_that_arrives_twice_is_done_once(desk_at):
    desk = desk_at(BRIDGES)
    action = {"do": "add_alternative", "field": "english", "text": "x", "note": "", "n": 1}
    desk.send([action])
    desk.send([action, {"do": "add_alternative", "field": "english", "text": "y", "note": "", "n": 2}])
    assert [reading.text for reading in desk.stored.value.alternatives] == ["x", "y"]


def test_a_browser_whose_server_was_restarted_is_heard_once(desk_at, open_page):
    desk = desk_at(BRIDGES)
    first = {"do": "add_alternative", "field": "english", "text": "x", "note": "", "n": 1}
    desk.send([first])
    # A new server knows nothing of the sitting; the browser sends what was not acknowledged to it, and more.
    again = Desk(open_page("texts/review.py", id=str(desk.begin["passage"])), desk.home)
    again.begin = desk.begin
    again.send([first, {"do": "set_text", "field": "english", "value": "y", "n": 2}])
    value = again.stored.value
    assert [reading.text for reading in value.alternatives] == ["x"] and value.english == "y"
    assert not again.data["conflict"]
    assert len(again.history) == 1, "the same sitting goes on"


def colleague(desk, **fields):
    annotations = Annotations(desk.home.open())
    theirs = annotations.get(desk.begin["passage"])
    value = AnnotationValue(**{"entities": theirs.value.entities, **fields})
    return annotations.save(
        desk.begin["passage"], value, Status.SUBMITTED, version=theirs.version, who="![x](y)", why="submitted"
    )


def test_a_save_over_a_colleagues_is_refused_shown_and_merged(desk_at):
    desk = desk_at(2)
    theirs = colleague(desk, english="Theirs", search_prompt="断桥")
    shown = desk.act({"do": "set_text", "field": "english", "value": "Mine"})
    assert desk.stored == theirs, "nothing is applied silently"
    points = {point["key"]: point for point in shown["conflict"]["points"]}
    english = next(point for point in points.values() if point["mine"] == "Mine")
    assert (english["theirs"], english["only"]) == ("Theirs", "both")
    assert shown["conflict"]["theirs"] == "![x](y)"
    # She writes on, and even closes the browser: it is kept.
    desk.act({"do": "set_text", "field": "modern_chinese", "value": "我的"})
    aside = Annotations(desk.home.open()).unmerged(2)
    assert [(row.value.english, row.value.modern_chinese) for row in aside] == [("Mine", "我的")]
    shown = desk.act({"do": "approve"})
    assert "Merge the conflict" in shown["error"]
    seen = shown["conflict"]["version"]
    shown = desk.act({"do": "resolve", "choices": {}, "theirs": seen})
    assert shown["error"] and desk.stored == theirs
    # They write once more: what she has not seen is not decided by her.
    theirs = colleague(desk, english="Theirs again", search_prompt="断桥")
    shown = desk.act({"do": "resolve", "choices": {english["key"]: "mine"}, "theirs": seen})
    assert "once more" in shown["error"] and desk.stored == theirs
    assert any(point["theirs"] == "Theirs again" for point in shown["conflict"]["points"])
    seen = shown["conflict"]["version"]
    shown = desk.act({"do": "resolve", "choices": {english["key"]: "mine"}, "theirs": seen})
    value = desk.stored.value
    assert (value.english, value.modern_chinese, value.search_prompt) == ("Mine", "我的", "断桥")
    assert not shown["conflict"] and not Annotations(desk.home.open()).unmerged(2)
    assert desk.history[0].why == "merged"


def test_dropping_mine_can_be_undone(desk_at):
    desk = desk_at(2)
    theirs = colleague(desk, english="Theirs")
    mine = {"do": "set_text", "field": "english", "value": "Mine"}
    desk.act(mine, {"do": "take_theirs", "theirs": theirs.version})
    assert desk.stored.value.english == "Theirs" and not Annotations(desk.home.open()).unmerged(2)
    desk.act({"do": "undo"})
    assert desk.stored.value.english == "Mine"


def test_a_colleagues_change_is_shown_to_whoever_changed_nothing(desk_at):
    desk = desk_at(2)
    colleague(desk, english="Theirs")
    desk.app.run()
    assert desk.data["value"]["english"] == "Theirs" and not desk.data["conflict"]


def test_what_was_set_aside_is_offered_and_merged(desk_at):
    desk = desk_at(2)
    mine = AnnotationValue(entities=desk.stored.value.entities, english="from the file")
    Annotations(desk.home.open()).set_aside(
        2, sitting="annotations.json", who="annotations.json", base=AnnotationValue(), value=mine
    )
    desk.app.run()
    aside = desk.data["unmerged"][0]
    shown = desk.act({"do": "open_unmerged", "id": aside["id"]})
    choices = {point["key"]: "mine" for point in shown["conflict"]["points"]}
    for action in (
        {"do": "set_text", "field": "english", "value": "x"},
        {"do": "undo"},
        {"do": "restore", "revision": 1},
    ):
        assert "conflict" in desk.act(action)["error"].lower()
    shown = desk.act({"do": "resolve", "choices": choices, "theirs": shown["conflict"]["version"]})
    assert desk.stored.value.english == "from the file" and not shown["unmerged"]


def test_late_words_at_a_passage_are_acknowledged_however_many_were_visited_since(desk_at, filled):
    texts = [NewPassage("梦粱录", "卷九", f"第{number}段。") for number in range(11)]
    desk = desk_at(1)
    first = desk.begin
    desk.act({"do": "set_note", "value": "early"})
    for passage_id in Passages(filled.open()).add(texts).ids:
        desk.act({"do": "go", "to": passage_id})
        desk.act({"do": "set_note", "value": "x"})
    assert first["sitting"] not in desk.data["heard"], "the acknowledgements of the last sittings only"
    desk.begin = first
    desk.send([{"do": "set_note", "value": "late", "n": 3}])
    assert desk.stored.value.note == "late"
    assert desk.data["heard"][first["sitting"]] == 3, "or the browser would send it for ever"


def test_a_locked_database_loses_and_doubles_nothing(desk_at, monkeypatch):
    """What could not be saved is not acknowledged: the browser sends it again, and then it is done once."""
    desk = desk_at(2)
    desk.act(
        {"do": "set_text", "field": "english", "value": "a"},
        {"do": "set_text", "field": "modern_chinese", "value": "b"},
    )
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.1)
    locker = desk.home.open().conn
    locker.execute("BEGIN IMMEDIATE")
    actions = [
        {"do": "undo", "n": next(desk.numbers)},
        {"do": "set_text", "field": "english", "value": "c", "n": next(desk.numbers)},
    ]
    acknowledged = desk.data["ack"]
    desk.send(actions)
    assert any("busy" in error.value.lower() or "another" in error.value.lower() for error in desk.app.error)
    assert desk.data["ack"] == acknowledged and desk.data["value"]["modern_chinese"] == "b"
    locker.rollback()
    desk.send(actions)
    value = desk.stored.value
    assert (value.english, value.modern_chinese) == ("c", "")


def test_a_second_click_hits_nothing_else(desk_at):
    desk = desk_at(BRIDGES)
    for words in ("one", "two", "three"):
        desk.act({"do": "add_alternative", "field": "english", "text": words, "note": ""})
    remove = {"do": "remove_alternative", "index": 0, "was": ["english", "one"]}
    desk.act(remove, remove)
    assert [reading.text for reading in desk.stored.value.alternatives] == ["two", "three"]
    # Typed into the note of the second while the first went away: it is still the second's.
    desk.act({"do": "set_alternative", "index": 1, "was": ["english", "two"], "field": "note", "value": "mine"})
    assert [reading.note for reading in desk.stored.value.alternatives] == ["mine", ""]


def test_only_the_suggestion_that_was_seen_is_accepted(desk_at, filled):
    desk = desk_at(3)
    seen = desk.data["newest"]
    unseen = AnnotationValue(english="Never shown to anybody.")
    Suggestions(filled.open()).add(Passages(filled.open()).get(3), Reply(unseen, "{}", "local", "other"))
    desk.act({"do": "approve", "accept_all": True, "suggestion": seen})
    assert desk.stored.status is Status.APPROVED
    assert desk.stored.value.english == "" and desk.stored.value.entities


def test_a_number_that_is_no_passage_leaves_the_desk_where_it_is(desk_at):
    desk = desk_at(2)
    shown = desk.act({"do": "go", "to": 99999})
    assert shown["passage"] == 2 and "99999" in shown["error"]


@pytest.mark.parametrize(
    "action",
    [
        {"do": "compare"},
        {"do": "compare", "suggestion": "x"},
        {"do": "restore"},
        {"do": "restore", "revision": 10**30},
        {"do": "restore", "revision": "x"},
        {"do": "go", "to": 10**30},
        {"do": "redraft", "parts": [{}]},
        {"do": "set_text", "field": "english", "value": "x" * 70_000},
        {},
    ],
    ids=str,
)
def test_a_forged_action_is_said_and_the_next_is_heard(desk_at, action):
    desk = desk_at(2)
    shown = desk.act(action, {"do": "set_text", "field": "english", "value": "heard"})
    assert not desk.app.error and desk.stored.value.english == "heard"
    assert shown["passage"] == 2


@pytest.mark.parametrize(
    "forged",
    [{"passage": 10**30}, {"passage": -1}, {"passage": 1.5}, {"version": None}, {"version": 99, "revision": 10**30}],
    ids=str,
)
def test_a_forged_batch_breaks_nothing(desk_at, forged):
    desk = desk_at(2)
    begin, desk.begin = desk.begin, {**desk.begin, "sitting": "forged", **forged}
    desk.send([{"do": "set_text", "field": "english", "value": "forged", "n": 1}])
    desk.begin = begin
    assert desk.stored.value.english == "" and not any("Something broke" in error.value for error in desk.app.error)
    desk.act({"do": "set_text", "field": "english", "value": "heard"})
    assert desk.stored.value.english == "heard"


def test_every_revision_can_be_restored(desk_at):
    desk = desk_at(1)
    before = desk.stored
    desk.act({"do": "set_text", "field": "english", "value": "Deshou"}, {"do": "approve"})
    desk.app.session_state["desk-history"] = True
    desk.app.run()
    assert not desk.app.exception
    texts = [element.value for element in desk.app.text]
    assert any("+ English: Deshou" in text for text in texts), texts
    next(b for b in desk.app.button if b.key == f"restore-{before.revision}").click().run()
    assert desk.stored.value == before.value and desk.stored.status is Status.DRAFT
    assert desk.history[0].why == "restored"
    desk.act({"do": "undo"})
    assert (desk.stored.value.english, desk.stored.status) == ("Deshou", Status.APPROVED)


def test_coming_back_finds_what_was_stored_and_undo_still_works(desk_at):
    desk = desk_at(2)
    desk.act({"do": "set_text", "field": "english", "value": "Baoyou Bridge"})
    desk.app.switch_page("pages/texts/passages.py").run()
    assert desk.stored.sealed
    desk.app.query_params["id"] = "2"
    desk.app.switch_page("pages/texts/review.py").run()
    assert desk.data["value"]["english"] == "Baoyou Bridge"
    desk.act({"do": "undo"})
    assert desk.stored.value.english == "" and len(desk.history) == 4, "a new sitting is a new revision"


def test_next_previous_and_jump_follow_the_filter(desk_at):
    desk = desk_at(1)
    assert desk.data["queue"] == {"position": 1, "count": 4, "previous": False, "next": True}
    desk.act({"do": "set_text", "field": "english", "value": "x"}, {"do": "go", "to": "next"})
    assert desk.app.query_params["id"] == "2" and desk.stored.value.english == "x"
    desk.act({"do": "go", "to": 4})
    assert desk.data["passage"] == 4
    desk.act({"do": "go", "to": "previous"})
    assert desk.data["passage"] == 3
    filtered = desk_at(3, status="suggested")
    assert filtered.data["queue"] == {"position": 1, "count": 1, "previous": False, "next": False}


def test_approving_and_going_on(desk_at):
    desk = desk_at(2)
    desk.act({"do": "approve", "next": True})
    assert desk.stored.status is Status.APPROVED and desk.data["passage"] == 3


def test_whoever_approves_and_goes_on_is_told_what_she_left_undecided(desk_at, filled):
    desk = desk_at(3)
    keys = [item["key"] for item in desk.data["items"]]
    assert len(keys) > 2
    desk.act({"do": "accept", "key": keys[0]}, {"do": "reject", "key": keys[1]}, {"do": "approve", "next": True})
    assert Annotations(filled.open()).get(3).status is Status.APPROVED and desk.data["passage"] == 4
    (toast,) = desk.app.toast
    assert toast.value.startswith("Passage 3 is approved.") and toast.value.endswith(f": {len(keys) - 2}.")
    desk.act({"do": "go", "to": "previous"})
    assert desk.data["passage"] == 3 and not desk.app.toast
    desk.act({"do": "accept_all"}, {"do": "approve", "next": True})
    assert desk.data["passage"] == 4 and not desk.app.toast, "where nothing is open nothing is said"


def test_what_is_made_from_a_changed_entity_is_stale_until_it_is_looked_at(desk_at):
    desk = desk_at(BRIDGES)
    desk.act(
        {"do": "add_entity", "span": [0, 3], "kind": "place"},
        {"do": "set_text", "field": "modern_chinese", "value": "德寿宫在桥东。"},
        {"do": "set_text", "field": "english", "value": "Deshou Palace is east of it."},
        {"do": "set_text", "field": "search_prompt", "value": "德寿宫"},
    )
    assert not desk.act({"do": "approve"})["stale"]
    entity = desk.stored.value.entities[0].id
    shown = desk.act({"do": "set_entity", "entity": entity, "field": "name", "value": "德寿"})
    assert set(shown["stale"]) == {"modern_chinese", "english", "search_prompt"}
    assert "entities" in shown["stale"]["english"]
    shown = desk.act({"do": "confirm", "field": "modern_chinese"})
    assert set(shown["stale"]) == {"english", "search_prompt"}
    shown = desk.act({"do": "set_text", "field": "english", "value": "Deshou is east of it."})
    assert set(shown["stale"]) == {"search_prompt"}
    # Only that is drafted anew: without a model by the rules, which can write a prompt.
    shown = desk.act({"do": "redraft", "parts": ["search_prompt"]})
    drafted = [item for item in shown["items"] if item["part"] == "search_prompt"]
    assert len(drafted) == 1 and drafted[0]["state"] == "edited"
    assert {item["part"] for item in shown["items"]} == {"search_prompt"}
    assert not desk.act({"do": "approve"})["stale"]


def test_what_was_built_from_an_older_state_is_named(desk_at, filled):
    from core.progress import Silent
    from db.experiments import Datasets, Runs
    from workbench.tasks.datasets import build

    params = {"name": "mine", "kinds": ["original"], "statuses": ["approved"], "valid": 0, "test": 0, "seed": 1}
    build(filled, filled.open(), params, Silent())
    dataset = Datasets(filled.open()).get("mine")
    run = Runs(filled.open()).add(dataset=dataset, model="mini", method="lora", config={}, job_id=None)
    desk = desk_at(1)
    assert not any("mine" in note for note in desk.data["notes"])
    entity = desk.stored.value.entities[0].id
    shown = desk.act({"do": "remove_entity", "entity": entity}, {"do": "approve"})
    assert any("dataset mine" in note and run.name in note for note in shown["notes"])
    build(filled, filled.open(), params, Silent())
    desk.app.run()
    assert not any("mine" in note for note in desk.data["notes"])


def test_the_rules_are_asked_from_the_desk(desk_at):
    desk = desk_at(BRIDGES)
    shown = desk.act({"do": "suggest", "who": "offline"})
    assert desk.stored.status is Status.SUGGESTED
    assert any(item["part"] == "entity" for item in shown["items"])


def test_a_model_without_its_key_is_said(desk_at, filled, monkeypatch):
    from db.jobs import Jobs

    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    endpoint = {"preset_name": "qwen", "base_url": "https://dashscope.aliyuncs.com/compatible-mode/v1", "model": "m"}
    Jobs(filled.open()).submit("annotate", "llm", {"provider": "qwen", "endpoint": endpoint, "prompt": "default-v1"})
    desk = desk_at(BRIDGES)
    assert ["model", "Suggest: m"] in desk.data["asks"]
    assert "DASHSCOPE_API_KEY" in desk.act({"do": "suggest", "who": "model"})["error"]
    assert not Jobs(filled.open()).page(kind="ask")


def test_the_guidelines_are_one_action_away_and_versioned(desk_at, filled):
    desk = desk_at(2)
    desk.act({"do": "guidelines"})
    assert any("Guidelines" in area.label for area in desk.app.text_area)
    guidelines = Guidelines(filled.open())
    guidelines.write("只标专名。![x](http://127.0.0.1/x.png)", who="甲")
    guidelines.write("只标专名。![x](http://127.0.0.1/x.png)", who="乙")
    guidelines.write("只标地名。", who="乙")
    assert [row.who for row in guidelines.versions()] == ["乙", "甲"]
    guidelines.write("只标专名。![x](http://127.0.0.1/x.png)", who="甲")
    desk.act({"do": "guidelines"})
    assert any("\\![x]" in element.value for element in desk.app.markdown), "no picture is fetched"


def test_the_reviewers_name_stands_on_the_revision(desk_at):
    desk = desk_at(2)
    next(field for field in desk.app.text_input if field.key == "who-typed").input("洪邁")
    next(button for button in desk.app.button if button.label == "That is me").click().run()
    desk.act({"do": "set_text", "field": "english", "value": "x"})
    assert desk.stored.updated_by == "洪邁" and "洪邁" in desk.data["saved"]
    assert not any(button.label == "That is me" for button in desk.app.button)


def test_the_language_can_change_in_the_middle(desk_at):
    desk = desk_at(2)
    desk.act({"do": "set_text", "field": "english", "value": "x"})
    desk.app.session_state["language"] = "zh"
    desk.app.run()
    assert desk.data["strings"]["approve"] == "核定" and desk.data["value"]["english"] == "x"


@pytest.mark.parametrize("batch", [{}, {"actions": []}, {"actions": [{"n": "x"}]}, [1], "x", {"actions": 5}, None])
def test_what_is_no_batch_is_no_error_on_the_page(desk_at, batch):
    desk = desk_at(2)
    desk.app.session_state["desk"] = {"sent": batch and {"batches": batch if isinstance(batch, str) else [batch]}}
    desk.app.run()
    assert not desk.app.exception and not desk.app.error and desk.data["passage"] == 2
