"""The pages of the texts: what a person does there is in the database afterwards."""

from db.jobs import Jobs
from db.passages import PassageFilter, Passages
from db.prompts import Prompts


def button(app, label):
    return next(element for element in app.button if label in element.label)


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


def listed(app):
    return list(app.dataframe[0].value.iloc[:, 3])


def test_what_was_pasted_or_imported_is_in_the_list_at_once(home, open_page):
    app = open_page("texts/passages.py")
    app.text_area[0].input("德寿宫在望仙桥东。")
    button(app, "Add").click().run()
    assert listed(app) == ["德寿宫在望仙桥东。"]
    app.file_uploader[0].upload("one.txt", "西湖孤山路曰宝佑桥。".encode(), "text/plain").run()
    button(app, "Import 1").click().run()
    assert listed(app) == ["德寿宫在望仙桥东。", "西湖孤山路曰宝佑桥。"]
    assert any("Imported: 1" in success.value for success in app.success)


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
