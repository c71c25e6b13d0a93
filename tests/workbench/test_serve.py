"""``songclip run``: refused where it must be, and its children end with it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db.home import Home
from workbench.jobs.dispatching import is_dispatching
from workbench.serve import port_is_free
from workbench.settings import home_to_run


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def refused(home):
    """The one line with which ``songclip run`` refuses; in a process of its own, since it serves if it does not."""

    def run(*arguments, **variables):
        command = [sys.executable, "-m", "workbench.cli", "--home", str(home.path), "run", "--no-browser", *arguments]
        ended = subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, **variables})
        line = ended.stderr.decode("utf-8")
        assert (ended.returncode, ended.stdout, line.count("\n")) == (1, b"", 1)
        return line

    return run


def test_a_port_in_use_is_said_with_the_next(refused, taken):
    assert f"--port {taken + 1}" in refused("--port", str(taken))


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "example.org"])
def test_any_address_but_loopback_is_refused(refused, address):
    assert "sign-in" in refused(SONGCLIP_ADDRESS=address)


def test_a_port_beside_a_taken_one_is_free(taken):
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert port_is_free("127.0.0.1", free) and port_is_free("localhost", free)
    assert not port_is_free("127.0.0.1", taken)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_loopback_of_ipv6_counts_too():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            port = server.getsockname()[1]
            assert not port_is_free("::1", port)
    except OSError:
        pytest.skip("no IPv6 here")
    assert port_is_free("::1", port)


def test_the_dispatcher_ends_with_its_parent(home):
    home.open().conn.close()
    command = [sys.executable, "-m", "workbench.serve", "dispatcher", "127.0.0.1", "8501"]
    environment = {**os.environ, "SONGCLIP_HOME": str(home.path)}
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    try:
        deadline = time.monotonic() + 30
        while not is_dispatching(home):
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.02)
        child.stdin.close()
        assert child.wait(timeout=30) == 0
    finally:
        child.kill()
    assert not is_dispatching(home)


def test_a_home_in_which_nobody_began_is_not_opened_in_place_of_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SONGCLIP_HOME", raising=False)
    own = Home(tmp_path / "clip_data")
    assert home_to_run().name == "demo_data"
    own.open().conn.close()  # as a command leaves it that looked for a dataset
    assert not own.begun() and home_to_run().name == "demo_data"
    own.mark(own.open(), "person")
    assert own.begun() and home_to_run().name == "clip_data"
    own.database.write_bytes(b"not a database")
    assert home_to_run().name == "clip_data", "what is damaged is somebody's"


def test_the_app_leaves_the_demo_for_a_project_and_not_for_a_command_that_found_nothing(tmp_path):
    demo, own = Home(tmp_path / "demo_data"), Home(tmp_path / "clip_data")
    demo.mark(demo.open(), "demo")
    (demo.datasets / "demo").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if name != "SONGCLIP_HOME"}
    songclip = [sys.executable, "-m", "workbench.cli"]
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    log = tmp_path / "log"
    with log.open("w") as said:
        app = subprocess.Popen(
            [*songclip, "run", "--no-browser", "--port", port], cwd=tmp_path, env=environment, stderr=said
        )
    try:

        def opened(times):
            deadline = time.monotonic() + 60
            while log.read_text(encoding="utf-8").count("http://") < times:
                assert time.monotonic() < deadline and app.poll() is None
                time.sleep(0.1)
            return log.read_text(encoding="utf-8").splitlines()[-1]

        assert "demo_data" in opened(1)
        train = [*songclip, "train", "--dataset", "mine"]
        failed = subprocess.run(train, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")
        assert failed.returncode == 1 and failed.stderr.count("\n") == 1 and "--home demo_data" in failed.stderr
        assert own.exists()
        time.sleep(3)  # longer than the parent takes to look
        assert log.read_text(encoding="utf-8").count("http://") == 1
        own.mark(own.open(), "person")
        assert "clip_data" in opened(2)
    finally:
        app.send_signal(signal.SIGINT)
        app.wait(timeout=30)
