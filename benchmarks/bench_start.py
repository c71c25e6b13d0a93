"""Warm start: from `songclip run` on a ready home to a first page a person can use, in a real Chromium."""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

RUNS = 5


def once(home: Path, browser: Browser) -> tuple[float, float]:
    """Seconds until the server answers with a page that stands still, and of a second visit."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench.cli", "--home", str(home), "run", "--no-browser", "--port", str(port)]
    began = time.perf_counter()
    app = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        seconds = []
        for _ in range(2):
            page = browser.new_page()
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{port}/?lang=en")
                    break
                except PlaywrightError:
                    time.sleep(0.05)
            page.get_by_text("Progress of the review").wait_for()
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
            seconds.append(time.perf_counter() - began)
            page.close()
            began = time.perf_counter()
        return seconds[0], seconds[1]
    finally:
        app.terminate()
        app.wait()


def main() -> None:
    """Print one JSON document."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "demo_data"
        subprocess.run([sys.executable, "-m", "workbench.cli", "--home", str(home), "demo"], check=True)
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        found = [once(home, browser) for _ in range(RUNS)]
        browser.close()
    first, again = zip(*found, strict=True)
    document = {
        name: {"median": round(statistics.median(values), 2), "max": round(max(values), 2)}
        for name, values in (("start_to_first_page", first), ("next_visit", again))
    }
    print(json.dumps({"runs": RUNS, "seconds": document}, indent=1))


if __name__ == "__main__":
    main()
