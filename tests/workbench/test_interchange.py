"""annotations.json into a home where scholars have worked: nothing of theirs is lost, and nothing of the file's."""

import json
from dataclasses import replace

import pytest

from core.annotation.interchange import read_annotations
from core.annotation.rules import OfflineRules
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.home import Home
from db.passages import Passages
from db.suggestions import Suggestions
from workbench.tasks.annotating import suggest
from workbench.tasks.interchange import annotations_json, export_annotations, import_annotations

TEXT = "𠮷德寿宫在望仙桥东，元系秦太师赐第。"
VALUE = AnnotationValue(
    entities=(
        Entity("e1", "德寿宫", type="palace", mentions=((1, 4),), english="Palace of Virtue"),
        Entity("e2", "望仙桥", type="bridge", mentions=((5, 8),)),
        Entity("e3", "秦太师", kind="person", mentions=((12, 15),), modern="秦桧", note="宰相"),
    ),
    relations=(Relation("e1", "east_of", "e2", evidence=(1, 9)),),
    modern_chinese="德寿宫在望仙桥东。",
    english="East of the bridge.",
    search_prompt="德寿宫",
    alternatives=(Alternative("english", "To the east.", "异读"),),
    rejected=("entity|place|赐第",),
)


@pytest.fixture
def passage(db):
    (passage_id,) = Passages(db).add([NewPassage("梦粱录", "卷八", TEXT, file_id="7")]).ids
    return Passages(db).get(passage_id)


def save(db, passage, value, status=Status.APPROVED, who="王"):
    version = Annotations(db).get(passage.id).version
    return Annotations(db).save(passage.id, value, status, version=version, who=who, why=status.value)


def exported(home):
    return annotations_json(home, tuple(Status))


def test_everything_of_a_value_comes_back_in_another_home(home, db, passage, tmp_path):
    save(db, passage, VALUE)
    other = Home(tmp_path / "other")
    there = other.open()
    report = import_annotations(other, there, exported(home), "approved")
    assert (report.imported, report.passages_added, report.conflicts, report.rejected) == (1, 1, [], [])
    assert Annotations(there).get(1).value == VALUE
    assert exported(home) == _without_history(exported(other), exported(home))
    there.conn.close()


def _without_history(data, like):
    """The file with who, when and revision of the other: those are each home's own."""
    (item,), (other,) = json.loads(data), json.loads(like)
    return (json.dumps([item | {"provenance": other["provenance"]}], ensure_ascii=False, indent=2) + "\n").encode()


def test_a_download_is_what_an_export_writes(home, db, passage, tmp_path):
    save(db, passage, VALUE)
    file = tmp_path / "annotations.json"
    assert export_annotations(db, file, (Status.APPROVED,)) == 1
    assert annotations_json(home, (Status.APPROVED,)) == file.read_bytes()
    assert json.loads(annotations_json(home, (Status.DRAFT,))) == []


def test_a_conflict_names_the_fields_and_sets_the_file_s_value_aside(home, db, passage):
    save(db, passage, VALUE, who="李")
    data = exported(home)
    mine = save(db, passage, replace(VALUE, entities=VALUE.entities[:2], english="Mine."))
    report = import_annotations(home, db, data, "approved")
    assert report.conflicts == [
        {"passage": passage.id, "source": "梦粱录", "file_id": "7", "fields": ["entities", "english"]}
    ]
    assert (report.imported, report.unchanged) == (0, 0)
    assert Annotations(db).get(passage.id) == mine, "a scholar's value is never overwritten"
    (aside,) = Annotations(db).unmerged(passage.id)
    assert (aside.value, aside.base, aside.who, aside.sitting) == (VALUE, AnnotationValue(), "李", "annotations.json")
    # The same file again is the same conflict, and is kept once.
    assert len(import_annotations(home, db, data, "approved").conflicts) == 1
    assert len(Annotations(db).unmerged(passage.id)) == 1


def test_the_same_statements_under_other_numbers_are_no_conflict(home, db, passage):
    numbered = {"e1": "e11", "e2": "e12", "e3": "e13"}
    entities = tuple(replace(entity, id=numbered[entity.id]) for entity in VALUE.entities)
    relations = tuple(replace(r, subject=numbered[r.subject], object=numbered[r.object]) for r in VALUE.relations)
    save(db, passage, VALUE)
    data = exported(home)
    save(db, passage, replace(VALUE, entities=entities, relations=relations, rejected=()))
    report = import_annotations(home, db, data, "submitted")
    assert (report.unchanged, report.conflicts) == (1, [])
    assert Annotations(db).unmerged(passage.id) == []


def test_what_the_file_calls_a_suggestion_is_laid_beside_a_scholar_s_value(home, db, passage, tmp_path):
    other = Home(tmp_path / "other")
    there = other.open()
    (same,) = Passages(there).add([NewPassage("梦粱录", "卷八", TEXT)]).ids
    suggest(there, same, OfflineRules())
    there.conn.close()
    mine = save(db, passage, VALUE)
    report = import_annotations(home, db, exported(other), "approved")
    assert (report.imported, report.conflicts, Annotations(db).unmerged(passage.id)) == (1, [], [])
    assert Annotations(db).get(passage.id) == mine
    suggestion = Suggestions(db).latest(passage)
    assert (suggestion.provider, suggestion.value.entities[0].name) == ("offline", "德寿宫")
    assert import_annotations(home, db, exported(other), "approved").unchanged == 1


def test_what_nobody_confirmed_stays_so_whatever_the_file_is_imported_as(songclip, home, db, passage, tmp_path):
    file = tmp_path / "annotations.json"
    suggest(db, passage.id, OfflineRules())
    (item,) = json.loads(exported(home))
    assert item["status"] == "suggested"

    def take(*items):
        file.write_text(json.dumps(items), encoding="utf-8")
        return songclip("annotations", "import", file, "--as", "approved", "--json").document

    corrected = item | {"english": "East of the bridge."}
    empty = {"entities": [], "relations": [], "status": "draft"}
    drafts = [item | empty | {"id": text, "original_text": text} for text in ("甲", "乙")]
    document = take(corrected, *drafts)
    assert (document["imported"], document["suggestions"], document["drafts"]) == (3, 1, 2)
    assert Annotations(db).get(passage.id).status is Status.SUGGESTED
    # The same suggestion once more is nothing new, and not confirmed either.
    again = take(corrected)
    assert (again["imported"], again["unchanged"], again["suggestions"]) == (0, 1, 1)
    lines = songclip("annotations", "import", file, "--as", "approved").out.splitlines()
    assert any(line.startswith("1 are suggestions in the file") and "submitted" in line for line in lines)
    # With the status set, or without one, it is what the person says.
    del corrected["status"]
    assert take(corrected)["suggestions"] == 0
    assert Annotations(db).get(passage.id).status is Status.APPROVED
    assert Annotations(db).get(passage.id).value.english == "East of the bridge."


def test_a_value_made_on_an_older_text_is_moved_before_it_is_compared(home, db, passage):
    save(db, passage, VALUE)
    (item,) = json.loads(exported(home))
    moved = read_annotations(json.dumps([_on(item, "，" + TEXT)]).encode()).records[0]
    assert moved.value.entities[0].mentions == ((2, 5),)
    assert import_annotations(home, db, json.dumps([_on(item, "，" + TEXT)]).encode(), "approved").unchanged == 1


def _on(item, text):
    """The record as it would be on a text with one character more before it."""
    return json.loads(json.dumps(item), object_hook=lambda o: _shifted(o)) | {"original_text": text}


def _shifted(value):
    return value | {"start": value["start"] + 1, "end": value["end"] + 1} if "surface" in value else value


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh_CN.UTF-8", "第 1 段（梦粱录 7）：实体、空间关系、英文译文"),
        ("en_GB.UTF-8", "Passage 1 (梦粱录 7): entities, relations, English"),
    ],
)
def test_the_command_line_lists_each_conflict(songclip, home, db, passage, tmp_path, monkeypatch, language, words):
    monkeypatch.setenv("LC_ALL", language)
    save(db, passage, VALUE)
    file = tmp_path / "a.json"
    file.write_bytes(exported(home))
    save(db, passage, replace(VALUE, entities=(), relations=(), english="Mine."))
    lines = songclip("annotations", "import", file).out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(words)
    document = songclip("annotations", "import", file, "--json").document
    assert document["conflicts"][0]["fields"] == ["entities", "relations", "english"]
