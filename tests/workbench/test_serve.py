"""``songclip run``: refused where it must be, and its children end with it."""

import os
import socket
import subprocess
import sys
import time

import pytest

from workbench.jobs.dispatching import is_dispatching
from workbench.serve import port_is_free


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
