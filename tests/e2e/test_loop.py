"""The whole way in a real browser: from two passages to the pictures they find."""

import json
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from tests.e2e.desk_steps import field, select

pytestmark = pytest.mark.e2e

FIRST = "德寿宫在望仙桥东，元系秦太师赐第。"
SECOND = "西湖孤山路曰宝佑桥，俗呼断桥。"


def pictures(folder: Path) -> list[Path]:
    """Six small pictures that differ."""
    files = []
    for number in range(6):
        image = Image.new("RGB", (320, 240), (230, 220 - 20 * number, 190))
        ImageDraw.Draw(image).rectangle((20 * number, 80, 20 * number + 90, 200), fill=(120, 40 + 30 * number, 60))
        files.append(folder / f"picture-{number}.png")
        image.save(files[-1])
    return files


def job_done(reader, server, seconds: int = 240) -> dict:
    """Wait until the newest job has ended and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = json.loads(server.command("jobs", "list", "--limit", "1", "--json"))[0]
        if job["state"] not in ("queued", "starting", "running"):
            assert job["state"] == "done", job
            return job
        time.sleep(1)
    raise TimeoutError(job)


def test_from_two_passages_to_the_pictures_they_find(reader, server, tmp_path):
    # Two passages, pasted.
    reader.goto("passages")
    reader.page.get_by_role("tab", name="Paste").click()
    reader.page.get_by_label("Source", exact=True).first.fill("梦粱录")
    reader.page.get_by_label("Text (several passages: an empty line between)").fill(f"{FIRST}\n\n{SECOND}")
    reader.press("Add")
    reader.see("Imported: 2. There already: 0.")

    # Suggested by the rules, as a job.
    reader.goto("annotate")
    reader.press("Start (passages: 2)")
    assert job_done(reader, server)["result"]["done"] == 2

    # Accepted, corrected and approved.
    reader.goto("review", id="1")
    reader.see("nobody has confirmed")
    expect(reader.page.locator(".songclip-passage .mark.ghost.place").first).to_have_text("德寿宫")
    reader.page.keyboard.press("Shift+A")
    expect(reader.page.locator(".songclip-desk .row.place:not(.ghost)").first).to_contain_text("德寿宫")
    select(reader.page, 11, 14)
    reader.page.keyboard.press("2")
    expect(reader.page.locator(".songclip-desk .row.chosen .name")).to_have_text("秦太师")
    field(reader.page, "modern_chinese").fill("德寿宫位于望仙桥东面，原本是秦桧的赐第。")
    reader.page.keyboard.press("Control+Enter")
    expect(reader.page.locator(".songclip-desk .status")).to_have_text("approved")
    reader.goto("review", id="2")
    reader.press("Accept all and approve")
    expect(reader.page.locator(".songclip-desk .status")).to_have_text("approved")
    exported = tmp_path / "annotations.json"
    server.command("annotations", "export", str(exported))
    first = json.loads(exported.read_text(encoding="utf-8"))[0]
    assert first["status"] == "approved"
    assert first["modern_chinese"] == "德寿宫位于望仙桥东面，原本是秦桧的赐第。"
    added = next(entity for entity in first["entities"] if entity["name"] == "秦太师")
    assert added["mentions"] == [{"start": 11, "end": 14, "surface": "秦太师"}]

    # Pictures, uploaded and paired three to each.
    reader.goto("collection")
    reader.page.locator("input[type=file]").first.set_input_files([str(file) for file in pictures(tmp_path)])
    reader.settle()
    reader.press("Save (pictures: 6)")
    reader.see("Added: 6. There already: 0.")
    reader.goto("pairs")
    for _ in range(3):
        reader.press("Connect")
    reader.see("Connected: 3")
    table = "passage_id,image\n" + "".join(f"2,picture-{number}.png\n" for number in range(3))
    (tmp_path / "pairs.csv").write_text(table, encoding="utf-8")
    server.command("pairs", "import", str(tmp_path / "pairs.csv"))

    # A dataset, too small to split and saying so.
    reader.goto("dataset")
    reader.press("Build the dataset")
    assert job_done(reader, server)["result"]["splits"]["train"]["images"] == 6
    reader.goto("dataset")
    reader.see("dataset-1")

    # One epoch, watched on the run's own page.
    reader.goto("train")
    reader.fill("Epochs", "1")
    reader.press("Start training")
    run = job_done(reader, server)["result"]
    reader.goto("run", run=run["run"])
    reader.see("Trainable parameters")
    expect(reader.page.get_by_test_id("stVegaLiteChart").first).to_be_visible()

    # The figures, with what they are worth.
    reader.goto("results")
    reader.press("Measure (zero-shot too)")
    job_done(reader, server)
    reader.goto("results")
    reader.see("Measured on the very pictures it was trained on")
    reader.see("asked by 2 texts (original text), gallery of 6")

    # And the search.
    reader.goto("browse", q="望仙桥东德寿宫")
    reader.see("The nearest 6 of 6 pictures")
    expect(reader.page.get_by_test_id("stImage")).to_have_count(6)


def test_a_killed_server_finds_its_training_again(reader, server, tmp_path):
    server.kill()
    server.command("demo")
    server.start()
    reader.goto("train")
    reader.fill("Epochs", "40")
    reader.press("Start training")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = json.loads(server.command("jobs", "list", "--limit", "1", "--json"))[0]
        if job["kind"] == "train" and job["state"] == "running" and job["done"] > 3:
            break
        time.sleep(0.5)
    assert job["state"] == "running", job
    server.kill()
    server.start()
    after = json.loads(server.command("jobs", "show", str(job["id"]), "--json"))
    assert after["state"] in ("running", "done"), "a job outlives the server"
    reader.goto("jobs", job=str(job["id"]))
    reader.see("running" if after["state"] == "running" else "done")
    # And it ends when asked to, with what it learned kept.
    reader.press("Stop")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and after["state"] == "running":
        after = json.loads(server.command("jobs", "show", str(job["id"]), "--json"))
        time.sleep(0.5)
    assert after["state"] in ("cancelled", "done"), after
