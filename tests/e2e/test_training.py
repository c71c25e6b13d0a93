"""Training in a real browser: started on the demo dataset, left, found again, paused, resumed, its curve whole."""

import json
import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Reader
from workbench.tasks.run_files import METRICS, read_metrics

pytestmark = pytest.mark.e2e

EPOCHS = 30


def job(server, job_id):
    return json.loads(server.command("jobs", "show", str(job_id), "--json"))


def until(server, job_id, states, *, steps=0, seconds=180):
    """Wait until the job is in one of the states and has done so many steps."""
    deadline = time.monotonic() + seconds
    while (now := job(server, job_id))["state"] not in states or now["done"] < steps:
        assert time.monotonic() < deadline and now["state"] != "failed", now
        time.sleep(0.3)
    return now


def step_numbers(folder):
    lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    return [row["step"] for row in map(json.loads, lines) if row["kind"] == "step"]


def test_a_run_started_left_found_again_paused_and_resumed_is_whole(reader, server, browser):
    server.kill()
    server.command("demo")
    server.start()

    # A preset fills the fields; the share of parameters stands there at once.
    reader.goto("train")
    reader.page.get_by_text("the first plan:").click()
    reader.settle()
    expect(reader.page.get_by_label("Epochs", exact=True).first).to_have_value("30")
    expect(reader.page.get_by_label("LoRA rank", exact=True).first).to_have_value("4")
    reader.see("Trainable parameters")
    reader.page.get_by_text("what suits the model").click()
    reader.settle()
    reader.fill("Epochs", str(EPOCHS))

    # A double click makes one run.
    reader.page.get_by_role("button", name="Start training").dblclick()
    reader.page.wait_for_url(re.compile(r"/run\?"))
    job_id = next(row["id"] for row in json.loads(server.command("jobs", "list", "--json")) if row["kind"] == "train")
    until(server, job_id, ("running", "done"), steps=10)
    kinds = [row["kind"] for row in json.loads(server.command("jobs", "list", "--json"))]
    assert kinds.count("train") == 1

    # The tab is closed; the run goes on, and another tab finds it again.
    reader.page.close()
    seen = job(server, job_id)["done"]
    until(server, job_id, ("running", "done"), steps=seen + 5)
    again = Reader(browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page(), server.url)
    again.goto("run", job=str(job_id))
    expect(again.page.get_by_test_id("stVegaLiteChart").first).to_be_visible()

    # Paused at the end of a step, and resumed from there.
    again.page.get_by_role("button", name="Stop", exact=True).first.click()
    stopped = until(server, job_id, ("cancelled",))
    assert stopped["done"] < stopped["total"]
    again.page.get_by_role("button", name="Resume", exact=True).first.click()
    until(server, job_id, ("done",), seconds=240)

    # Its curve is whole, and the examples are there from before the first step.
    run = job(server, job_id)["result"]
    folder = server.home / "experiments" / run["run"]
    assert step_numbers(folder) == list(range(1, stopped["total"] + 1))
    assert [row["epoch"] for row in read_metrics(folder)[1]] == list(range(EPOCHS + 1))
    again.goto("run", run=run["run"])
    again.see("Trainable parameters")
    expect(again.page.get_by_test_id("stVegaLiteChart")).to_have_count(5)
    again.see("Example queries")
    expect(again.page.get_by_test_id("stImage").first).to_be_visible()
    pictures = again.page.get_by_test_id("stImage").locator("img")
    expect(pictures).to_have_count(20)
    after = [picture.get_attribute("src") for picture in pictures.all()]
    again.page.get_by_role("slider").first.focus()
    again.page.keyboard.press("Home")
    again.settle()
    expect(pictures).to_have_count(20)
    assert [picture.get_attribute("src") for picture in pictures.all()] != after
