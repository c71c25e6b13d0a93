"""The language that somebody chose is the one her browser gets again, whatever the browser itself speaks."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


def test_the_language_that_was_chosen_comes_back(reader):
    page = reader.page
    page.goto(f"{reader.url}/passages")
    reader.settle()
    expect(page.get_by_role("heading", name="Passages")).to_be_visible()
    page.get_by_text("中文", exact=True).click()
    expect(page.get_by_role("heading", name="段落")).to_be_visible()
    page.wait_for_function("document.cookie.includes('songclip_language=zh')")
    page.goto(f"{reader.url}/jobs")
    reader.settle()
    expect(page.get_by_role("heading", name="任务")).to_be_visible()
    page.goto(f"{reader.url}/jobs?lang=en")
    reader.settle()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
