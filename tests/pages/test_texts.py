"""The pages of the texts: what a person does there is in the database afterwards."""

import json

from core.texts.annotation import Status
from db.annotations import Annotations
from db.jobs import Jobs
from db.passages import PassageFilter, Passages
from db.prompts import Prompts


def button(app, label):
    return next(element for element in app.button if label in element.label)


def edit_cell(app, table, row, column, value):
    """Type into a cell of a table of the review, as the widget reports it."""
    type_cells(app, table, {row: {column: value}})


def type_cells(app, table, rows):
    """The same for several cells at once."""
    sitting = app.session_state["sitting"]
    key = f"review-{table}-{sitting.passage_id}-{sitting.turn}"
    app.session_state[key] = {"edited_rows": rows, "added_rows": [], "deleted_rows": []}
    app.run()


def test_pasting_stores_passages_with_their_citation(home, open_page):
    app = open_page("texts/passages.py")
    fields = {element.label: element for element in app.text_input}
    for label, typed in (("Source", "梦粱录"), ("Chapter", "卷八"), ("Edition", "文渊阁本"), ("Page", "12a")):
        fields[label].input(typed)
    app.text_area[0].input("德寿宫在望仙桥东。\n\n西湖孤山路曰宝佑桥。")
    button(app, "Add").click().run()
    assert not app.exception
    stored = [row.passage for row in Passages(home.open()).page(PassageFilter())]
    assert [passage.text for passage in stored] == ["德寿宫在望仙桥东。", "西湖孤山路曰宝佑桥。"]
    assert {(p.source, p.chapter, p.edition, p.page) for p in stored} == {("梦粱录", "卷八", "文渊阁本", "12a")}


def test_the_list_finds_traditional_and_simplified_alike(filled, open_page):
    app = open_page("texts/passages.py")
    next(e for e in app.text_input if e.key == "passages-text").input("臨安").run()
    assert any("No passage matches" in info.value for info in app.info)
    next(e for e in app.text_input if e.key == "passages-text").input("德壽宮").run()
    assert any("Passages: 1" in caption.value for caption in app.caption)


def test_suggesting_queues_one_job_however_often_it_is_pressed(filled, open_page):
    app = open_page("texts/annotate.py")
    button(app, "Start").click().run()
    app = open_page("texts/annotate.py")
    button(app, "Start").click().run()
    jobs = Jobs(filled.open()).page(kind="annotate")
    assert len(jobs) == 1
    assert jobs[0].params["ids"] == [4]


def test_an_unconfirmed_suggestion_is_shown_and_not_saved_by_looking(filled, open_page):
    before = Annotations(filled.open()).get(3)
    app = open_page("texts/review.py", id="3")
    assert any("nobody has confirmed" in info.value for info in app.info)
    assert Annotations(filled.open()).get(3) == before


def test_approving_a_suggestion_makes_it_the_scholars_value(filled, open_page):
    app = open_page("texts/review.py", id="3")
    button(app, "Approve").click().run()
    saved = Annotations(filled.open()).get(3)
    assert saved.status is Status.APPROVED
    assert any(entity.name == "丽正" for entity in saved.value.entities)


def test_each_typed_translation_is_saved_at_once(filled, open_page):
    app = open_page("texts/review.py", id="2")
    areas = {area.label: area for area in app.text_area}
    areas["Modern Chinese"].input("西湖孤山路上有宝佑桥。").run()
    saved = Annotations(filled.open()).get(2)
    assert saved.value.modern_chinese == "西湖孤山路上有宝佑桥。"
    assert saved.status is Status.DRAFT
    assert [r.why for r in Annotations(filled.open()).history(2)] == ["edited", "edited", "suggested"]


def test_edits_of_an_approved_value_ask_for_approval_again(filled, open_page):
    app = open_page("texts/review.py", id="1")
    next(a for a in app.text_area if a.label == "English").input("Deshou Palace").run()
    assert Annotations(filled.open()).get(1).status is Status.DRAFT


def test_renaming_an_entity_looks_for_it_in_the_text(filled, open_page):
    app = open_page("texts/review.py", id="1")
    edit_cell(app, "entities", 0, "name", "望仙桥东")
    entity = Annotations(filled.open()).get(1).value.entities[0]
    assert (entity.name, entity.mentions) == ("望仙桥东", ((4, 8),))


def test_a_spare_row_becomes_an_entity_and_a_dropped_one_goes(filled, open_page):
    app = open_page("texts/review.py", id="1")
    known = Annotations(filled.open()).get(1).value.entities
    type_cells(app, "entities", {0: {"drop": True}, len(known): {"name": "秦太师", "kind": "person"}})
    entities = Annotations(filled.open()).get(1).value.entities
    assert known[0].id not in {entity.id for entity in entities}
    added = next(entity for entity in entities if entity.name == "秦太师")
    assert (added.kind, added.mentions) == ("person", ((11, 14),))
    assert added.id not in {entity.id for entity in known}


def test_somebody_elses_change_is_not_overwritten(filled, open_page):
    app = open_page("texts/review.py", id="2")
    annotations = Annotations(filled.open())
    theirs = annotations.get(2)
    annotations.save(2, theirs.value, Status.SUBMITTED, revision=theirs.revision, who="colleague", why="submitted")
    next(a for a in app.text_area if a.label == "English").input("Baoyou Bridge").run()
    assert any("colleague" in error.value for error in app.error)
    assert Annotations(filled.open()).get(2).status is Status.SUBMITTED
    assert Annotations(filled.open()).get(2).value.english == ""


def test_coming_back_to_a_passage_shows_what_is_stored(filled, open_page):
    """The widgets of a page forget when another page is opened; the old state must not be saved over the new."""
    app = open_page("texts/review.py", id="2")
    next(a for a in app.text_area if a.label == "English").input("Baoyou Bridge").run()
    app.switch_page("pages/texts/passages.py").run()
    app.query_params["id"] = "2"
    app.switch_page("pages/texts/review.py").run()
    assert next(a for a in app.text_area if a.label == "English").value == "Baoyou Bridge"
    assert Annotations(filled.open()).get(2).value.english == "Baoyou Bridge"


def test_the_language_can_change_in_the_middle_of_an_edit(filled, open_page):
    app = open_page("texts/review.py", id="2")
    edit_cell(app, "entities", 0, "note", "今在孤山")
    app.session_state["language"] = "zh"
    app.run()
    assert Annotations(filled.open()).get(2).value.entities[0].note == "今在孤山"
    assert json.dumps([button.label for button in app.button], ensure_ascii=False).count("核定")


def test_a_model_is_asked_with_its_parameters_and_without_its_key_in_the_row(filled, open_page, monkeypatch):
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    app = open_page("texts/annotate.py")
    next(group for group in app.get("button_group") if group.label == "Provider").set_value("qwen").run()
    assert any("Estimate: 1 passages" in info.value for info in app.info)
    button(app, "Start").click().run()
    assert any("key" in error.value for error in app.error), "without a key no job is made"
    assert not Jobs(filled.open()).page(kind="annotate")
    next(e for e in app.text_input if e.label == "Key").input("sk-0123456789").run()
    button(app, "Start").click().run()
    job = Jobs(filled.open()).page(kind="annotate")[0]
    assert job.needs_key
    assert (job.params["endpoint"]["model"], job.params["ids"]) == ("qwen-turbo", [4])
    assert b"sk-0123456789" not in filled.database.read_bytes()


def test_a_saved_prompt_is_a_new_version(filled, open_page):
    app = open_page("texts/annotate.py")
    next(group for group in app.get("button_group") if group.label == "Provider").set_value("local").run()
    area = next(area for area in app.text_area if area.label == "Instructions")
    area.input(area.value + "\n多标地名。")
    button(app, "Save as a new version").click().run()
    assert [prompt.id for prompt in Prompts(filled.open()).all()] == ["default-v2", "default-v1"]
