"""``songclip run``: a small parent that keeps the app and the dispatcher alive, and ends both when it ends."""

import importlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError
from db.home import Home
from workbench.settings import DEMO_DATASET, HOME_VARIABLE, Settings

OWN_HOME_VARIABLE = "SONGCLIP_OWN_HOME"
"""Set for the app when it shows the demo and the parent will move to this home once it holds a project."""

RESTART_SECONDS = 2.0
MOVE_SECONDS = 1.0


def app_file() -> Path:
    """The script that Streamlit runs."""
    return Path(__file__).resolve().parent.parent / "Home.py"


def is_demo_ready(home: Home) -> bool:
    """Whether the demo was made here to its end; the dataset is its last step."""
    return home.exists() and home.marker(home.open()) == "demo" and (home.datasets / DEMO_DATASET).is_dir()


def end_with_parent(ended: Callable[[], None]) -> None:
    """Call ``ended`` when the parent is gone: its end of our standard input closes, on every system."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ended()

    threading.Thread(target=watch, daemon=True).start()


def port_is_free(address: str, port: int) -> bool:
    """Whether nobody listens there yet."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _start(role: str, home: Home, settings: Settings, own: Path | None) -> "subprocess.Popen[bytes]":
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ, HOME_VARIABLE: str(home.path)}
    environment.pop(OWN_HOME_VARIABLE, None)
    if own:
        environment[OWN_HOME_VARIABLE] = str(own)
    command = [sys.executable, "-m", "workbench.serve", role, settings.address, str(settings.port)]
    # Ctrl-C in the terminal is the parent's to hear; it then ends its children in good order.
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def _wait_until_ready(url: str, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _end(children: "dict[str, subprocess.Popen[bytes]]") -> None:
    for child in children.values():
        if child.stdin:
            child.stdin.close()
    for child in children.values():
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()


def serve(home: Home, settings: Settings, *, own: Path | None, say: Callable[[str, Path], None], browser: bool) -> None:
    """Run until interrupted. With ``own``, move there once somebody has begun a project in it.

    Raises InputError when the port is taken or the address would open the app to others.
    """
    if settings.address not in ("127.0.0.1", "localhost", "::1"):
        raise InputError("address_needs_sign_in", address=settings.address)
    if not port_is_free(settings.address, settings.port):
        raise InputError("port_in_use", port=settings.port, next=settings.port + 1)
    host = f"[{settings.address}]" if ":" in settings.address else settings.address
    url = f"http://{host}:{settings.port}"
    children = {role: _start(role, home, settings, own) for role in ("app", "dispatcher")}
    try:
        if _wait_until_ready(url):
            say(url, home.path)
            if browser:
                webbrowser.open(url)
        while True:
            time.sleep(0.5)
            if own and Home(own).begun():
                # The browser that asked still loads what will bring it back afterwards.
                time.sleep(MOVE_SECONDS)
                home, own = Home(own), None
                _end(children)
                children = {role: _start(role, home, settings, None) for role in children}
                if _wait_until_ready(url):
                    say(url, home.path)
            for role, child in children.items():
                if child.poll() is not None:
                    time.sleep(RESTART_SECONDS)
                    children[role] = _start(role, home, settings, own)
    except KeyboardInterrupt:
        pass
    finally:
        _end(children)


def _warm_up() -> None:
    """Import what the first page needs while the browser still loads its own files."""
    for name in ("pandas", "workbench.navigation", "workbench.tasks.overview"):
        importlib.import_module(name)


def _run_app(address: str, port: str) -> None:
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    # A folder called pages makes Streamlit take the app for one of its old kind until the first script ran,
    # and say "Page not found" over the page that a cold server is asked for first.
    PagesManager.uses_pages_directory = False
    end_with_parent(lambda: os._exit(0))
    threading.Thread(target=_warm_up, daemon=True).start()
    options = {
        "server.address": address,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    sys.argv = [
        "streamlit",
        "run",
        str(app_file()),
        *(f"--{name}={value}" for name, value in options.items()),
    ]
    cli.main()


def _run_dispatcher() -> None:
    from workbench.jobs.dispatching import Dispatcher
    from workbench.log import log_to

    ended = threading.Event()
    end_with_parent(ended.set)
    home = Home(Path(os.environ[HOME_VARIABLE]))
    log_to(home.logs / "songclip.log")
    Dispatcher(home).run(ended)


if __name__ == "__main__":
    if sys.argv[1] == "app":
        _run_app(*sys.argv[2:])
    else:
        _run_dispatcher()
