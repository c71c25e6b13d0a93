"""A real server and a real Chromium."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
expect.set_options(timeout=30_000)


class Server:
    """`songclip run` on a home of its own; `kill` ends it as a power cut would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "workbench.cli", "--home", str(self.home), "run", "--no-browser"]
        self.process = subprocess.Popen([*command, "--port", str(self.port)], start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2)
                return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError("the server did not answer within a minute")

    def kill(self) -> None:
        """SIGKILL to the parent, the app and the dispatcher; jobs have a session of their own."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return
            time.sleep(0.2)

    def command(self, *words: str) -> str:
        """Run one `songclip` command on this home and return its standard output."""
        command = [sys.executable, "-m", "workbench.cli", "--home", str(self.home), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "home")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Reader:
    """A person before a browser: goes to pages, and waits until they stand still."""

    def __init__(self, page: Page, url: str, language: str = "en") -> None:
        self.page, self.url, self.language = page, url, language

    def goto(self, address: str = "", **query: str) -> None:
        words = "&".join(f"{name}={value}" for name, value in {"lang": self.language, **query}.items())
        self.page.goto(f"{self.url}/{address}?{words}")
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]", timeout=60_000)
        # A click takes a moment to start the script; only then does waiting for its end mean anything.
        self.page.wait_for_timeout(400)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.settle()

    def see(self, text: str, seconds: int = 30) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    def fill(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True).first
        field.fill(text)
        field.press("Tab")
        self.settle()


@pytest.fixture
def reader(browser: Browser, server: Server) -> Iterator[Reader]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield Reader(context.new_page(), server.url)
    context.close()
