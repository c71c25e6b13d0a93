import io
import json
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from core.errors import InputError
from core.texts.passage import MAX_TEXT
from core.texts.reading import MAX_FILE, ParsedFile, parse_pasted, read_passages

LINE = "德寿宫在望仙桥东，元系秦太师赐第。"
ITEM = {"id": 1, "source": "梦粱录", "chapter": "卷二·都城", "text": LINE}


def read(name: str, content: str | bytes) -> ParsedFile:
    return read_passages(name, content.encode() if isinstance(content, str) else content)


def codes(parsed: ParsedFile) -> list[str]:
    return [rejected.error.code for rejected in parsed.rejected]


def workbook(*sheets: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("raw_texts.json", json.dumps([ITEM], ensure_ascii=False)),
        ("one.json", json.dumps(ITEM)),
        ("lines.json", json.dumps(ITEM) + "\n" + json.dumps(ITEM)),
        ("lines.jsonl", "\n" + json.dumps(ITEM) + "\n"),
        ("a.csv", f"id,source,chapter,text\r\n1,梦粱录,卷二·都城,{LINE}\r\n"),
        ("a.csv", f'編號;書名;卷;原文\n1;梦粱录;卷二·都城;"{LINE}"\n'),
        ("a.tsv", f"编号\t出处\t章\t正文\n1\t梦粱录\t卷二·都城\t{LINE}\n"),
        ("A.XLSX", workbook([["说明"]], [["编号", "来源", "卷", "内容"], [1.0, "梦粱录", "卷二·都城", LINE]])),
    ],
)
def test_every_format_gives_the_same_passage(name: str, content: str | bytes) -> None:
    parsed = read(name, content)
    first = parsed.passages[0]
    assert (first.file_id, first.source, first.chapter, first.text) == ("1", "梦粱录", "卷二·都城", LINE)
    assert first.where.startswith(name)
    assert parsed.rejected == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_tables_in_every_encoding(encoding: str) -> None:
    content = f"书名,原文,版本,页码,网址,备注\n梦粱录,{LINE},学津讨原本,12a,https://example.org/1,略\n"
    (passage,) = read("表.csv", content.encode(encoding)).passages
    assert passage.text == LINE
    assert (passage.edition, passage.page, passage.address) == ("学津讨原本", "12a", "https://example.org/1")


def test_big5_table() -> None:
    content = "書名,原文\n夢粱錄,德壽宮在望仙橋東\n".encode("big5")
    assert read("a.csv", content).passages[0].text == "德壽宮在望仙橋東"


def test_columns_of_volume_and_chapter_are_joined() -> None:
    (passage,) = read("a.csv", f"卷,篇,原文\n卷七,大河桥道,{LINE}\n").passages
    assert passage.chapter == "卷七·大河桥道"


def test_plain_text_is_cut_at_blank_lines_and_keeps_its_line_breaks() -> None:
    parsed = read("卷/西湖.txt", b"\xef\xbb\xbf" + "甲一\r\n甲二\r\n　\r\n\r\n乙\r\n".encode())
    assert [(p.source, p.text, p.where) for p in parsed.passages] == [
        ("西湖", "甲一\n甲二", "西湖.txt:1"),
        ("西湖", "乙", "西湖.txt:5"),
    ]


def test_text_is_kept_as_written() -> None:
    compatibility = "\ufa19𠮷e\u0301　夀"  # normal form C would change three of them
    (passage,) = read("a.json", json.dumps([{"text": f"　{compatibility}\r\n甲 "}])).passages
    assert passage.text == f"{compatibility}\n甲"


def test_bad_rows_are_named_and_cost_no_other_row() -> None:
    rows: list[object] = [
        ITEM,
        {"text": " "},
        {"text": "字" * (MAX_TEXT + 1)},
        {"text": "甲\x00乙"},
        {"text": "甲\ud800"},
        {"text": ["甲"]},
        {"source": "无文"},
        7,
        {"text": "甲", "source": "长" * 2000},
        {"text": "末"},
    ]
    parsed = read("a.json", json.dumps(rows))
    assert [passage.text for passage in parsed.passages] == [LINE, "末"]
    assert [r.where for r in parsed.rejected] == [f"a.json #{n}" for n in range(2, 10)]
    assert codes(parsed) == [
        "text_empty",
        "text_too_long",
        "control_character",
        "control_character",
        "not_a_text",
        "text_empty",
        "not_an_object",
        "field_too_long",
    ]
    assert all("甲" not in str(rejected.error) for rejected in parsed.rejected)


def test_the_longest_text_accepted() -> None:
    assert len(read("a.json", json.dumps([{"text": "字" * MAX_TEXT}])).passages) == 1


def test_a_broken_json_line_costs_only_itself() -> None:
    parsed = read("a.jsonl", f'{json.dumps(ITEM)}\n{{"text": \n{json.dumps(ITEM)}\n')
    assert len(parsed.passages) == 2
    assert parsed.rejected[0].where == "a.jsonl:2"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.json", "[{\n  'text': 1}]", "json_malformed"),
        ("a.json", "[" * 200_000, "json_malformed"),
        ("a.json", "[" + "9" * 5000 + "]", "json_malformed"),
        ("a.json", "[]", "file_empty"),
        ("a.txt", " \n ", "file_empty"),
        ("a.csv", "", "file_empty"),
        ("a.csv", '原文\n"德寿宫\n望仙桥\n', "table_malformed"),
        ("a.json", '[{"content_id": 1}]', "column_missing"),
        ("a.xlsx", b"PK\x03\x04 no archive", "spreadsheet_damaged"),
        ("a.xlsx", workbook([["备注"], ["x"]]), "column_missing"),
        ("a.pdf", "%PDF", "format_unknown"),
        ("a.txt", b"\x89PNG\0\0\xff\xff", "encoding_unknown"),
        ("a.txt", b"x" * (MAX_FILE + 1), "file_too_large"),
    ],
)
def test_files_that_cannot_be_used(name: str, content: str | bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read(name, content)
    assert caught.value.code == code
    assert caught.value.details["file"] == name


def test_malformed_json_says_where() -> None:
    with pytest.raises(InputError) as caught:
        read("a.json", '[{"text": "甲"},\n {"text" "乙"}]')
    assert (caught.value.details["line"], caught.value.details["column"]) == (2, 10)


def test_a_missing_column_names_those_found() -> None:
    with pytest.raises(InputError) as caught:
        read("a.csv", "书名,卷\n梦粱录,七\n")
    assert caught.value.details["columns"] == "书名, 卷"


def test_tsv_with_loose_quotation_marks() -> None:
    parsed = read("a.tsv", '书名\t原文\n梦粱录\t"德寿"为名\n梦粱录\t"康寿\n')
    assert [passage.text for passage in parsed.passages] == ['"德寿"为名', '"康寿']


def test_a_zip_bomb_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("[Content_Types].xml", "xl/workbook.xml"):
            archive.writestr(part, b" " * 10_000_000)
    with pytest.raises(InputError, match="archive_too_large"):
        read("a.xlsx", stream.getvalue())


def test_pasting_one_or_several() -> None:
    parsed = parse_pasted(f"{LINE}\n\n　\n西湖\n苏堤", "梦粱录", "卷七", page="3")
    assert [(p.text, p.source, p.chapter, p.page, p.where) for p in parsed.passages] == [
        (LINE, "梦粱录", "卷七", "3", "#1"),
        ("西湖\n苏堤", "梦粱录", "卷七", "3", "#2"),
    ]
    assert codes(parse_pasted(" \n", "梦粱录")) == ["text_empty"]
    assert codes(parse_pasted("甲\x07", "梦粱录")) == ["control_character"]


def test_the_sources_given_with_the_project() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "raw_texts.json"
    if not path.exists():
        pytest.skip("the source texts are not part of the project")
    parsed = read_passages(path.name, path.read_bytes())
    assert len(parsed.passages) == 45
    assert parsed.rejected == ()
