"""Two people at one passage, whatever they do: offsets stay true, the history stays whole, nothing typed is lost."""

import itertools
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.annotation.interchange import AnnotationRecord, read_annotations, write_annotations
from core.annotation.merging import merge
from core.errors import SongclipError
from core.texts.annotation import AnnotationValue, Status
from core.texts.offsets import check_spans
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.home import Home
from db.passages import Passages
from workbench.tasks.desk import receive, restore
from workbench.tasks.passages import correct_passage
from workbench.tasks.sittings import leave, refresh, resume, sit_down, text_id

TEXT = "德寿宫在𠮷望仙桥东，望仙桥北曰𠀋湖桥。"
LENGTH = len(TEXT)

spans = st.tuples(st.integers(0, LENGTH), st.integers(1, 4)).map(lambda s: [s[0], s[0] + s[1]])
numbers = st.integers(0, 3)
edits = st.one_of(
    st.builds(
        lambda span, kind: {"do": "add_entity", "span": span, "kind": kind}, spans, st.sampled_from(["place", "person"])
    ),
    st.builds(lambda n: {"do": "remove_entity", "number": n}, numbers),
    st.builds(lambda n: {"do": "mark_all", "number": n}, numbers),
    st.builds(lambda n, to: {"do": "move_mention", "number": n, "to": to}, numbers, spans),
    st.builds(lambda a, b: {"do": "add_relation", "number": a, "other": b, "code": "east_of"}, numbers, numbers),
    st.builds(lambda field: {"do": "set_text", "field": field}, st.sampled_from(["english", "modern_chinese"])),
    st.sampled_from(
        [{"do": do} for do in ("undo", "redo", "approve", "submit", "discard", "take_theirs", "accept_all")]
    ),
    st.builds(lambda side: {"do": "resolve", "side": side}, st.sampled_from(["mine", "theirs"])),
    st.sampled_from([{"do": do} for do in ("again", "restart", "leave", "refresh", "restore")]),
)
steps = st.lists(st.tuples(st.sampled_from(["甲", "乙"]), edits), min_size=12, max_size=30)


class World:
    """One passage in a real database, two people, and what each of them typed last."""

    def __init__(self, folder):
        self.db = Home(Path(folder)).open()
        self.passage = Passages(self.db).add([NewPassage("梦粱录", "卷八", TEXT)]).ids[0]
        self.annotations = Annotations(self.db)
        self.people = {who: sit_down(self.db, self.passage) for who in ("甲", "乙")}
        self.words = itertools.count(1)
        self.typed = {}
        self.sealed = {}

    def do(self, who, wish):
        sitting = self.people[who]
        match wish["do"]:
            case "leave":
                leave(self.db, sitting)
            case "refresh":
                refresh(self.db, sitting)
            case "restore":
                if history := self.annotations.history(self.passage):
                    restore(self.db, sitting, history[-1].revision, who=who)
            case "restart":  # the server knows nothing any more; the browser sends a number it has not sent yet
                batch = self.batch(sitting, {"do": "set_note", "value": ""})
                self.people[who] = resume(self.db, batch)
            case "again":
                batch = self.batch(sitting, {"do": "set_note", "value": "x"})
                receive(self.db, sitting, batch, who=who)
                before = self.annotations.get(self.passage)
                receive(self.db, sitting, batch, who=who)
                assert self.annotations.get(self.passage) == before
            case _:
                receive(self.db, sitting, self.batch(sitting, self.action(who, sitting, wish)), who=who)
        if wish["do"] in ("undo", "take_theirs", "resolve"):  # her own choice
            self.typed = {key: words for key, words in self.typed.items() if key[0] != who}
        self.check()

    def batch(self, sitting, action):
        begin = {"passage": self.passage, "sitting": sitting.token}
        begin |= {"version": sitting.version, "revision": sitting.revision}
        return {**begin, "actions": [{**action, "n": sitting.ack + 1}]}

    def action(self, who, sitting, wish):
        action = dict(wish)
        entities = sitting.value.entities
        for name, role in (("number", "subject" if wish["do"] == "add_relation" else "entity"), ("other", "object")):
            if name in action:
                number = action.pop(name)
                action[role] = entities[number].id if number < len(entities) else "e0"
        if wish["do"] == "move_mention":
            entity = sitting.value.entity(action["entity"])
            action["span"] = list(entity.mentions[0]) if entity and entity.mentions else [0, 1]
        if wish["do"] == "set_text":
            action["value"] = f"{who} {next(self.words)}"
            if not sitting.merging:
                self.typed[who, action["field"]] = action["value"]
        if wish["do"] in ("resolve", "take_theirs"):
            theirs = self.annotations.get(self.passage)
            action["theirs"] = theirs.version
        if wish["do"] == "resolve":
            points = merge(sitting.base, sitting.value, theirs.value).points if sitting.conflict else ()
            action["choices"] = {point.key: wish["side"] for point in points}
        return action

    def check(self):
        stored = self.annotations.get(self.passage)
        history = self.annotations.history(self.passage)
        assert [row.revision for row in history] == list(range(len(history), 0, -1))
        if history:
            assert (history[0].value, history[0].status) == (stored.value, stored.status)
        for row in history[1:]:
            # A revision that another one followed never changes again.
            assert self.sealed.setdefault(row.revision, row) == row
        for row in history:
            check_spans(row.value, TEXT)
        self.check_surfaces(stored.value)
        for (who, field), words in self.typed.items():
            assert any(getattr(value, field) == words for value in self.everything(who, history)), (who, words)

    def check_surfaces(self, value):
        passage = NewPassage("梦粱录", "卷八", TEXT, file_id="1")
        written = write_annotations([AnnotationRecord(passage, value)])
        mentions = [mention for entity in json.loads(written)[0]["entities"] for mention in entity["mentions"]]
        assert all(TEXT[row["start"] : row["end"]] == row["surface"] for row in mentions)
        assert read_annotations(written.encode()).records[0].value == value

    def everything(self, who, history):
        """Where what she typed last may be: in a revision, set aside, or a step away by undo or redo."""
        sitting = self.people[who]
        yield from (row.value for row in history)
        yield from (row.value for row in self.annotations.unmerged(self.passage))
        yield from (step.value for step in (*sitting.undo, *sitting.redo))
        yield sitting.value


@settings(max_examples=80, deadline=None)
@given(steps)
def test_random_sittings_keep_offsets_history_and_words(actions):
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        for who, wish in actions:
            world.do(who, wish)
        world.db.conn.close()


@pytest.fixture
def passage(db):
    return Passages(db).add([NewPassage("梦粱录", "卷八", TEXT)]).ids[0]


def batch(sitting, *actions):
    numbered = [{**action, "n": sitting.ack + place} for place, action in enumerate(actions, 1)]
    begin = {"passage": sitting.passage_id, "sitting": sitting.token, "version": sitting.version}
    begin["text_id"] = text_id(sitting.text)
    return {**begin, "revision": sitting.revision, "actions": numbered}


def say(words):
    return {"do": "set_text", "field": "english", "value": words}


def test_a_sitting_is_one_revision_until_a_status_another_person_or_leaving_closes_it(db, passage):
    annotations = Annotations(db)
    mine = sit_down(db, passage)
    for words in ("a", "ab", "abc"):
        receive(db, mine, batch(mine, say(words)), who="甲")
    assert [(row.revision, row.value.english) for row in annotations.history(passage)] == [(1, "abc")]
    leave(db, mine)
    receive(db, mine, batch(mine, say("abcd")), who="甲")
    assert len(annotations.history(passage)) == 2
    receive(db, mine, batch(mine, {"do": "approve"}), who="甲")
    receive(db, mine, batch(mine, say("e")), who="甲")
    assert [row.status for row in annotations.history(passage)] == ["draft", "approved", "draft", "draft"]
    receive(db, mine, batch(mine, say("ef")), who="乙")
    assert [row.who for row in annotations.history(passage)] == ["乙", "甲", "甲", "甲", "甲"]


def test_five_idle_minutes_begin_a_new_revision(db, passage):
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, say("a")), who="甲")
    db.execute("UPDATE annotations SET updated_at = '2020-01-01T00:00:00.000+00:00'")
    receive(db, mine, batch(mine, say("ab")), who="甲")
    assert len(Annotations(db).history(passage)) == 2


def test_actions_of_a_browser_that_outlived_its_server_belong_to_what_it_saw(db, passage):
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, say("mine")), who="甲")
    late = batch(mine, {"do": "set_text", "field": "modern_chinese", "value": "迟到"})
    theirs = sit_down(db, passage)
    receive(db, theirs, batch(theirs, say("theirs")), who="乙")
    again = resume(db, late)
    receive(db, again, late, who="甲")
    assert again.conflict and Annotations(db).get(passage).value.english == "theirs"
    aside = Annotations(db).unmerged(passage)[0]
    assert (aside.value.english, aside.value.modern_chinese) == ("mine", "迟到")


def test_an_action_of_a_sitting_that_was_left_is_not_done_again_after_a_restart(db, passage):
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, *({"do": "add_alternative", "field": "english", "text": w} for w in "ab")), who="甲")
    late = batch(mine, {"do": "remove_alternative", "index": 0})
    receive(db, mine, late, who="甲")
    leave(db, mine)
    again = resume(db, late)
    receive(db, again, late, who="甲")
    assert not again.conflict and len(Annotations(db).get(passage).value.alternatives) == 1


def test_an_approval_is_refused_while_a_conflict_is_open(db, passage):
    mine, theirs = sit_down(db, passage), sit_down(db, passage)
    receive(db, theirs, batch(theirs, say("theirs")), who="乙")
    receive(db, mine, batch(mine, say("mine"), {"do": "approve"}), who="甲")
    assert isinstance(mine.error, SongclipError) and mine.error.code == "conflict_open"
    assert Annotations(db).get(passage).status is Status.DRAFT


def test_a_confirmed_text_is_not_stale_and_stays_approved(db, passage):
    annotations = Annotations(db)
    value = AnnotationValue(english="Deshou Palace", modern_chinese="德寿宫")
    annotations.save(passage, value, Status.APPROVED, version=0, who="甲", why="approved")
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, {"do": "set_text", "field": "modern_chinese", "value": "宫"}), who="甲")
    assert db.execute("SELECT stale FROM annotations").fetchone()[0] == 1
    receive(db, mine, batch(mine, {"do": "confirm", "field": "english"}), who="甲")
    assert db.execute("SELECT stale FROM annotations").fetchone()[0] == 0


def correct(db, passage, text):
    correct_passage(db, replace(Passages(db).get(passage), text=text), who="丙")


def test_a_text_corrected_under_an_open_desk_moves_everything_along(db, passage):
    annotations = Annotations(db)
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, {"do": "add_entity", "span": [5, 8], "kind": "place"}), who="甲")
    late = {"do": "add_entity", "span": [14, 17], "kind": "place"}
    correct(db, passage, "按：" + TEXT)
    # She still sees the old text; what she marked there is meant there.
    receive(db, mine, batch(mine, late), who="甲")
    assert mine.conflict, "the correction is somebody else's change"
    resolved = {"do": "resolve", "choices": {}, "theirs": annotations.get(passage).version}
    receive(db, mine, batch(mine, resolved), who="甲")
    now = Passages(db).get(passage).text
    words = {now[slice(*span)] for entity in annotations.get(passage).value.entities for span in entity.mentions}
    assert words == {TEXT[5:8], TEXT[14:17]}
    receive(db, mine, batch(mine, {"do": "undo"}, {"do": "undo"}), who="甲")
    for row in annotations.history(passage):
        check_spans(row.value, now if row.revision > 1 else TEXT)


def test_an_action_after_a_correction_of_an_untouched_passage_fits_the_new_text(db, passage):
    mine = sit_down(db, passage)
    correct(db, passage, "按：" + TEXT)
    receive(db, mine, batch(mine, {"do": "add_entity", "span": [5, 8], "kind": "place"}), who="甲")
    entity = Annotations(db).get(passage).value.entities[0]
    assert (entity.name, entity.mentions) == (TEXT[5:8], ((7, 10),))
    receive(db, mine, batch(mine, {"do": "add_entity", "span": [0, 2], "kind": "place"}), who="甲")
    assert Annotations(db).get(passage).value.entities[1].mentions == ((0, 2),)


def test_restoring_a_revision_of_an_earlier_text_moves_its_places(db, passage):
    mine = sit_down(db, passage)
    receive(db, mine, batch(mine, {"do": "add_entity", "span": [5, 8], "kind": "place"}), who="甲")
    receive(db, mine, batch(mine, {"do": "approve"}), who="甲")
    correct(db, passage, "按：" + TEXT)
    refresh(db, mine)
    entity = mine.value.entities[0].id
    receive(db, mine, batch(mine, {"do": "remove_entity", "entity": entity}), who="甲")
    restore(db, mine, 1, who="甲")
    now = Passages(db).get(passage).text
    assert now[slice(*Annotations(db).get(passage).value.entities[0].mentions[0])] == TEXT[5:8]


def test_a_browser_that_saw_an_earlier_text_before_a_restart_means_that_text(db, passage):
    mine = sit_down(db, passage)
    late = batch(mine, {"do": "add_entity", "span": [5, 8], "kind": "place"})
    correct(db, passage, "按：" + TEXT)
    again = resume(db, late)
    receive(db, again, late, who="甲")
    assert Annotations(db).get(passage).value.entities[0].mentions == ((7, 10),)


def test_what_was_set_aside_moves_with_a_corrected_text(db, passage):
    mine, theirs = sit_down(db, passage), sit_down(db, passage)
    receive(db, theirs, batch(theirs, say("theirs")), who="乙")
    receive(db, mine, batch(mine, {"do": "add_entity", "span": [5, 8], "kind": "place"}), who="甲")
    correct(db, passage, "按：" + TEXT)
    assert Annotations(db).unmerged(passage)[0].value.entities[0].mentions == ((7, 10),)
