"""The command line of texts, pictures and jobs: documents, exit codes, and nothing changed by a mistake."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from openpyxl import Workbook

from core.records import JobState
from core.texts.annotation import AnnotationValue, Entity, Status
from db.annotations import Annotations
from db.images import Images, Pairs
from db.jobs import Jobs
from db.passages import PassageFilter, Passages
from workbench.commands import base


def texts(home):
    return [summary.passage.text for summary in Passages(home.open()).page(PassageFilter())]


def test_only_the_document_stands_on_standard_output(home, raw_texts):
    command = [sys.executable, "-m", "workbench.cli", "--home", str(home.path), "passages", "import", str(raw_texts)]
    ended = subprocess.run([*command, "--json"], capture_output=True, check=True)
    assert json.loads(ended.stdout.decode("utf-8")) == {"imported": 3, "duplicates": 0, "rejected": []}
    assert ended.stdout.count(b"\n") == 1
    assert len(texts(home)) == 3


def test_what_a_library_prints_does_not_join_the_document(home):
    group = click.Group()

    @base.command(group, "noisy")
    def noisy(context):
        """Print as a library would."""
        sys.stdout.write("loading weights …\n")
        return base.Answer({"sound": True})

    ended = CliRunner().invoke(group, ["noisy", "--json"], obj=base.context_for(home.path))
    assert json.loads(ended.stdout) == {"sound": True}
    assert "loading weights" in ended.stderr


def test_a_second_import_doubles_nothing(songclip, home, raw_texts):
    assert songclip("passages", "import", raw_texts, "--json").document["imported"] == 3
    assert songclip("passages", "import", raw_texts, "--json").document == {
        "imported": 0,
        "duplicates": 3,
        "rejected": [],
    }
    passage = Passages(home.open()).get(1)
    assert (passage.file_id, passage.source, passage.chapter) == ("1", "梦粱录", "卷八·德寿宫")
    assert home.marker(home.open()) == "person"


def test_a_person_reads_lines(songclip, raw_texts):
    said = songclip("passages", "import", raw_texts)
    assert said.code == 0 and "3" in said.out and not said.out.startswith("{")


def test_a_folder_of_every_format_and_encoding(songclip, home, tmp_path):
    folder = tmp_path / "sources" / "inner"
    folder.mkdir(parents=True)
    header = "source,chapter,text\n"
    (folder / "a.csv").write_bytes((header + '武林旧事,卷五,"断桥,又名段家桥"\n').encode("utf-8-sig"))
    (folder / "b.tsv").write_bytes("出處\t卷\t原文\n咸淳臨安志\t卷一\t臨安西湖蘇堤\n".encode("big5"))
    (folder / "梦粱录.txt").write_bytes("德寿宫在望仙桥东。\n\n元系秦太师赐第。\n".encode("gb18030"))
    (folder / "notes.docx").write_bytes(b"not for us")
    book = Workbook()
    book.active.append(["source", "chapter", "text"])
    book.active.append(["梦粱录", "卷二", "城门"])
    book.save(folder / "d.xlsx")
    document = songclip("passages", "import", folder.parent, "--json").document
    assert document == {"imported": 5, "duplicates": 0, "rejected": []}
    expected = {"断桥,又名段家桥", "臨安西湖蘇堤", "德寿宫在望仙桥东。", "元系秦太师赐第。", "城门"}
    assert set(texts(home)) == expected


def test_bad_rows_cost_no_good_one(songclip, home, tmp_path):
    file = tmp_path / "raw.json"
    rows = [{"id": 1, "source": "梦粱录", "text": "西湖"}, {"id": 2, "source": "梦粱录", "text": " "}, "text"]
    file.write_text(json.dumps(rows), encoding="utf-8")
    document = songclip("passages", "import", file, "--json").document
    assert (document["imported"], len(document["rejected"])) == (1, 2)
    assert all(row["where"].startswith("raw.json") and row["why"] for row in document["rejected"])
    assert texts(home) == ["西湖"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("broken.json", b'[{"id": 1, "text": '),
        ("no_column.csv", "source,chapter\n梦粱录,卷八\n".encode()),
        ("empty.txt", b""),
        ("long.txt", "湖".encode() * 100_000),
        ("surrogate.json", b'[{"source": "x", "text": "\\ud800"}]'),
        ("nul.csv", b"source,text\nx,\x00\x01\x02\xff\xfe\n"),
        ("book.xlsx", b"PK\x03\x04 not a workbook"),
        ("deep.json", b"[" * 200_000),
        ("picture.png", b"\x89PNG"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(songclip, home, tmp_path, name, data):
    file = tmp_path / name
    file.write_bytes(data)
    assert songclip("passages", "import", file, "--json").mistake()
    assert texts(home) == []
    assert home.marker(home.open()) == "", "a mistake does not make it somebody's project"


def test_a_file_that_is_not_there_changes_nothing(songclip, home, raw_texts, tmp_path):
    assert songclip("passages", "import", raw_texts, tmp_path / "nowhere.json").mistake("nowhere.json")
    assert texts(home) == []


def test_a_mistake_is_said_in_the_reader_s_language(songclip, monkeypatch, tmp_path):
    monkeypatch.setenv("SONGCLIP_LANGUAGE", "zh")
    assert songclip("passages", "import", tmp_path / "nowhere.json").mistake("找不到")


@pytest.mark.parametrize(
    "arguments",
    [
        ["passages", "import"],
        ["nothing"],
        ["annotate", "--concurrency", "0"],
        ["train"],
        ["jobs", "show", "one"],
        ["annotations", "import", "x.json", "--as", "draft"],
        ["passages", "import", "x.json", "--colour"],
    ],
)
def test_a_usage_mistake_exits_2(songclip, home, arguments):
    said = songclip(*arguments)
    assert (said.code, said.out) == (2, "") and said.err
    assert not home.exists()


def test_a_home_that_cannot_be_used(songclip, tmp_path, raw_texts):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert songclip("passages", "import", raw_texts, at=tmp_path / "file").mistake("cannot be written")
    assert songclip("restore", raw_texts, at=tmp_path / "file" / "inner").mistake("cannot be written")


def test_a_setting_that_cannot_be_used(songclip, home, raw_texts):
    home.path.mkdir()
    (home.path / "songclip.toml").write_text("log_level = 'LOUD'", encoding="utf-8")
    assert songclip("passages", "import", raw_texts).mistake("log_level")


def test_annotate_offline(songclip, home, raw_texts):
    songclip("passages", "import", raw_texts)
    document = songclip("annotate", "--limit", 2, "--json").document
    assert {name: document[name] for name in ("done", "failed", "skipped", "calls")} == {
        "done": 2,
        "failed": 0,
        "skipped": 0,
        "calls": 2,
    }
    assert songclip("annotate", "--json").document["done"] == 1
    assert songclip("annotate", "--json").document["calls"] == 0
    assert Passages(home.open()).status_counts()[Status.SUGGESTED] == 3
    job = songclip("jobs", "show", document["job"], "--json").document
    assert (job["kind"], job["state"], job["progress"]) == ("annotate", "done", 1.0)


def test_an_unknown_provider_leaves_no_job(songclip, home):
    assert songclip("annotate", "--provider", "oracle").mistake("oracle")
    assert Jobs(home.open()).page() == []


@pytest.fixture
def reviewed(songclip, home, raw_texts):
    """Three passages: one approved, one draft, one suggested."""
    songclip("passages", "import", raw_texts)
    annotations = Annotations(home.open())
    palace = AnnotationValue(
        entities=(Entity("e1", "德寿宫", type="palace", mentions=((0, 3),)),),
        spatial_relation="德寿宫位于望仙桥东侧",
        modern_chinese="德寿宫在望仙桥东面。",
        english="Deshou Palace is east of Wangxian Bridge.",
        search_prompt="南宋临安古画中的德寿宫",
    )
    annotations.save(1, palace, Status.APPROVED, version=0, who="甲", why="approved")
    annotations.save(2, AnnotationValue(note="待考"), Status.DRAFT, version=0, who="甲", why="edited")
    songclip("annotate")
    return annotations


def test_annotations_go_out_and_come_back_whole(songclip, home, tmp_path, reviewed):
    file = tmp_path / "annotations.json"
    assert songclip("annotations", "export", file, "--json").document == {"exported": 1, "file": str(file)}
    (record,) = json.loads(file.read_text(encoding="utf-8"))
    assert (record["id"], record["original_text"]) == (1, "德寿宫在望仙桥东，元系秦太师赐第。")
    assert record["entities"][0]["name"] == "德寿宫" and record["search_prompt"] == "南宋临安古画中的德寿宫"
    assert songclip("annotations", "export", file, "--status", "all", "--json").document["exported"] == 3
    other = tmp_path / "other"
    document = songclip("annotations", "import", file, "--as", "approved", "--json", at=other).document
    assert (document["imported"], document["passages_added"], document["rejected"]) == (3, 3, [])
    again = Annotations(type(home)(other).open())
    assert again.get(1).value == reviewed.get(1).value
    assert [again.get(number).status for number in (1, 2, 3)] == [Status.APPROVED, Status.DRAFT, Status.SUGGESTED]
    assert songclip("annotations", "import", file, "--json", at=other).document["imported"] == 0


def test_an_import_never_overwrites_a_scholar_s_value(songclip, tmp_path, reviewed):
    file = tmp_path / "annotations.json"
    reply = {"id": 1, "source": "梦粱录", "original_text": "德寿宫在望仙桥东，元系秦太师赐第。", "entities": []}
    file.write_text(json.dumps([reply | {"english": "Somebody else's."}], ensure_ascii=False), encoding="utf-8")
    before = reviewed.get(1)
    document = songclip("annotations", "import", file, "--as", "approved", "--json").document
    assert (document["imported"], len(document["conflicts"])) == (0, 1)
    assert reviewed.get(1) == before


@pytest.mark.parametrize("data", [b"{", b"[1", b"", "德寿宫".encode("utf-16-le")])
def test_annotations_that_cannot_be_read(songclip, home, tmp_path, data):
    file = tmp_path / "annotations.json"
    file.write_bytes(data)
    assert songclip("annotations", "import", file).mistake("annotations.json")
    assert texts(home) == []


def test_annotations_of_no_status_there_is(songclip, tmp_path):
    assert songclip("annotations", "export", tmp_path / "a.json", "--status", "perfect").mistake("perfect")
    assert not (tmp_path / "a.json").exists()
    assert songclip("annotations", "export", tmp_path / "nowhere" / "a.json").mistake("nowhere")
    assert songclip("annotations", "export", tmp_path).mistake()


def test_pictures_with_what_is_known_of_them(songclip, home, tmp_path, picture_file):
    lake, map_ = picture_file("lake.png", (20, 90, 160)), picture_file("map.jpg", (200, 180, 120))
    picture_file("copy.png", (20, 90, 160))
    (lake.parent / "broken.jpg").write_bytes(map_.read_bytes()[:300])
    table = tmp_path / "metadata.csv"
    table.write_bytes("file,title,category,rights\nlake.png,断桥残雪,painting,CC0\n".encode("gb18030"))
    document = songclip("images", "import", lake.parent, "--metadata", table, "--json").document
    assert (document["imported"], document["duplicates"], len(document["rejected"])) == (2, 1, 1)
    assert document["rejected"][0]["where"] == "broken.jpg"
    images = Images(home.open())
    found = images.find("lake.png") or images.find("copy.png")
    assert found and (found.width, found.height) == (96, 64)
    if found.file_name == "lake.png":
        assert (found.title, found.category, found.rights) == ("断桥残雪", "painting", "CC0")
    stored = home.images / found.sha256[:2] / f"{found.sha256}.png"
    assert stored.read_bytes() == lake.read_bytes()


def test_what_is_no_picture_changes_nothing(songclip, home, raw_texts, picture_file, tmp_path):
    assert songclip("images", "import", raw_texts).mistake("raw_texts.json")
    assert songclip("images", "import", tmp_path / "nowhere").mistake("nowhere")
    lake = picture_file("lake.png", (1, 2, 3))
    assert songclip("images", "import", lake, "--metadata", tmp_path / "nowhere.csv").mistake("nowhere.csv")
    assert songclip("images", "import", lake, "--metadata", raw_texts).mistake("file")
    assert Images(home.open()).all() == [] and home.marker(home.open()) == ""


def test_pairs_come_in_and_go_out(songclip, home, tmp_path, raw_texts, picture_file):
    songclip("passages", "import", raw_texts)
    songclip("images", "import", picture_file("lake.png", (20, 90, 160)), picture_file("=map.jpg", (200, 180, 120)))
    sha = Images(home.open()).get(1).sha256
    table = tmp_path / "pairs.csv"
    rows = [f"1,{sha},=1+1", "1,2,", "2,lake.png,", "9,1,", "2,nothing.png,", "x,1,", f"{10**30},1,"]
    table.write_text("passage_id,image,note\n" + "\n".join(rows), encoding="utf-8")
    document = songclip("pairs", "import", table, "--json").document
    assert (document["added"], document["present"]) == (3, 0)
    assert [row["where"] for row in document["rejected"]] == [f"pairs.csv:{line}" for line in (5, 6, 7, 8)]
    out = tmp_path / "out.csv"
    assert songclip("pairs", "export", out, "--json").document == {"exported": 3, "file": str(out)}
    text = out.read_bytes().decode("utf-8-sig")
    assert "'=1+1" in text and ",=1+1" not in text and "'=map.jpg" in text
    for pair in Pairs(home.open()).all():
        Pairs(home.open()).remove(pair.passage_id, pair.image_id)
    assert songclip("pairs", "import", out, "--json").document["added"] == 3
    assert songclip("pairs", "import", out, "--json").document["present"] == 3
    assert {(pair.passage_id, pair.image_id) for pair in Pairs(home.open()).all()} == {(1, 1), (1, 2), (2, 1)}
    assert Pairs(home.open()).all()[0].note == "=1+1"


def test_pairs_that_cannot_be_used_change_nothing(songclip, home, tmp_path, raw_texts):
    table = tmp_path / "pairs.csv"
    table.write_text("passage,picture\n1,2\n", encoding="utf-8")
    assert songclip("pairs", "import", table).mistake("passage_id")
    table.write_bytes(b"passage_id,image\n\xff\xfe\x00\n")
    assert songclip("pairs", "import", table).mistake("pairs.csv")
    table.write_text("passage_id,image\n1,2\n", encoding="utf-8")
    assert songclip("pairs", "import", table).mistake("1")
    assert songclip("pairs", "export", tmp_path / "nowhere" / "x.csv").mistake("nowhere")


@pytest.mark.parametrize("more", [(), ("--refused",)])
def test_a_bad_row_is_named_with_the_file_it_stands_in(songclip, tmp_path, raw_texts, picture_file, more):
    songclip("passages", "import", raw_texts)
    songclip("images", "import", picture_file("lake.png", (20, 90, 160)))
    table = tmp_path / "wrong_pairs.csv"
    table.write_text("passage_id,image\n1,1\nxx,1\n", encoding="utf-8")
    assert "wrong_pairs.csv:3: " in songclip("pairs", "import", table, *more).out
    table.write_bytes(b"passage_id,image\n\xff\xfe\x00\n")
    assert songclip("pairs", "import", table, *more).mistake("wrong_pairs.csv")


def test_jobs_are_listed_shown_cancelled_and_resumed(songclip, home):
    jobs = Jobs(home.open())
    waiting = jobs.submit("annotate", "llm", {"provider": "offline"})
    lost = jobs.submit("demo", "disk", {})
    jobs.begin(lost.id)
    listed = songclip("jobs", "list", "--json").document
    assert [(job["id"], job["state"]) for job in listed] == [(lost.id, "interrupted"), (waiting.id, "queued")]
    assert "ended unexpectedly" in listed[0]["message"]
    assert songclip("jobs", "--json").document == listed
    assert str(lost.id) in songclip("jobs").out
    shown = songclip("jobs", "show", waiting.id, "--json").document
    assert {"id", "kind", "state", "progress", "message"} <= set(shown)
    assert songclip("jobs", "cancel", waiting.id, "--json").document["state"] == "cancelled"
    assert songclip("jobs", "resume", lost.id, "--json").document["state"] == "queued"
    assert jobs.get(lost.id).state is JobState.QUEUED
    assert songclip("jobs", "resume", lost.id).mistake("nothing to resume")
    for number in (99, 10**30):
        assert songclip("jobs", "show", number).mistake("There is no job")


def test_an_unexpected_error_is_one_sentence_and_the_log_has_the_rest(songclip, home, raw_texts):
    songclip("passages", "import", raw_texts)
    home.open().execute("DROP TABLE pairs")
    assert songclip("pairs", "export", home.path / "x.csv").mistake("log has the details")
    assert "Traceback" in (home.logs / "songclip.log").read_text(encoding="utf-8")


def test_pairs_name_a_passage_by_its_number_or_by_its_files_own_id(songclip, picture_file, tmp_path):
    (tmp_path / "raw.json").write_text('[{"id": "mll-12", "source": "梦粱录", "text": "西湖在城西"}]', encoding="utf-8")
    songclip("passages", "import", tmp_path / "raw.json")
    songclip("images", "import", picture_file("a.png", (40, 90, 90)), picture_file("b.png", (200, 90, 90)))
    (tmp_path / "pairs.csv").write_text("passage_id,image\nmll-12,a.png\n1,b.png\nnone,a.png\n", encoding="utf-8")
    found = songclip("pairs", "import", tmp_path / "pairs.csv", "--json").document
    assert found["added"] == 2
    assert [row["where"] for row in found["rejected"]] == ["pairs.csv:4"]
