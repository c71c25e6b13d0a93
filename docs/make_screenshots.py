"""Makes the pictures of README and guide from a demo home: ``make screenshots``.

Starts the app on a fresh demo project, trains once so that there is something to see, and photographs it
in both languages with Chromium: README's pages, or with --all every page.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
README = ("review", "collection", "results", "browse")
"""What README shows; the other pages would show the folder they were made in."""

PAGES = (
    ("overview", "", {}),
    ("passages", "passages", {}),
    ("annotate", "annotate", {}),
    ("review", "review", {"id": "2"}),
    ("quality", "quality", {}),
    ("collection", "collection", {}),
    ("pairs", "pairs", {}),
    ("dataset", "dataset", {}),
    ("train", "train", {}),
    ("run", "run", {"run": "0001-lora-r16"}),
    ("results", "results", {}),
    ("browse", "browse", {"q": "湖中有浮圖，其旁有畫舫，暮秋"}),
    ("jobs", "jobs", {}),
    ("settings", "settings", {}),
)


def command(home: Path, *words: str) -> None:
    """One `songclip` command on the home."""
    subprocess.run([sys.executable, "-m", "workbench.cli", "--home", str(home), *words], check=True)


def prepare(home: Path) -> None:
    """A demo project with one run and its figures."""
    command(home, "demo")
    command(home, "train", "--dataset", "demo")
    command(home, "evaluate", "--dataset", "demo")
    command(home, "evaluate", "--dataset", "demo", "--run", "0001-lora-r16")


def wait_for(url: str) -> None:
    """Until the app answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the app did not start")


def settle(page: Page) -> None:
    """Until the page stands still."""
    page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]", timeout=60_000)
    page.wait_for_timeout(500)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=120_000)
    page.wait_for_timeout(1_200)


def photograph(url: str, folder: Path, width: int, height: int, *, every: bool) -> None:
    """README's pages, or every page, in both languages."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        for language in ("zh", "en"):
            for name, address, query in PAGES:
                if not every and name not in README:
                    continue
                context = browser.new_context(viewport={"width": width, "height": height})
                context.add_cookies([{"name": "songclip_who", "value": quote("沈括"), "url": url}])
                page = context.new_page()
                words = "&".join(f"{key}={value}" for key, value in {"lang": language, **query}.items())
                page.goto(f"{url}/{address}?{words}")
                settle(page)
                page.screenshot(path=folder / f"{name}-{language}.png")
                page.context.close()
        browser.close()


def main() -> None:
    """Make the home (unless one is given), start the app, photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=None, help="a demo home that is ready")
    parser.add_argument("--out", type=Path, default=HERE / "screenshots")
    parser.add_argument("--all", action="store_true", help="every page, to look at")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "demo_data"
        if options.home is None:
            prepare(home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        run = [sys.executable, "-m", "workbench.cli", "--home", str(home), "run", "--no-browser", "--port", str(port)]
        app = subprocess.Popen(run)
        try:
            wait_for(f"http://127.0.0.1:{port}")
            photograph(f"http://127.0.0.1:{port}", options.out, options.width, options.height, every=options.all)
        finally:
            app.terminate()
            app.wait()


if __name__ == "__main__":
    main()
