"""Starting and stopping: what is said, and what is left (nothing)."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.__main__ import main

from .conftest import PROJECT, Caller, Spawn


def temporary_files() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("primepods-sandbox-*"))


def test_nothing_is_left_after_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads, sockets = set(threading.enumerate()), open_sockets()
    sandbox = start()
    (thread,) = set(threading.enumerate()) - threads
    assert thread.daemon
    assert len(temporary_files()) == 1
    with Caller(sandbox.url) as caller:
        caller.order()
        # Stopped with a client still connected.
        sandbox.stop()
    sandbox.stop()
    assert set(threading.enumerate()) == threads
    assert open_sockets() == sockets
    assert temporary_files() == set()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((urlsplit(sandbox.url).hostname, urlsplit(sandbox.url).port or 0))


def open_sockets() -> int:
    """How many sockets this process has open (0 where the system does not tell)."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return 0
    return sum(1 for link in folder.iterdir() if link.is_symlink() and "socket:" in os.readlink(link))


def test_closes_connections_that_arrive_as_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop accepts them in the same turn in which it hears that it is to stop."""
    unclosed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unclosed.append)
    sandbox = start()
    where = urlsplit(sandbox.url)
    is_busy, may_go_on = threading.Event(), threading.Event()
    loop = sandbox._server._loop
    assert loop is not None
    loop.call_soon_threadsafe(lambda: (is_busy.set(), may_go_on.wait(20)))
    assert is_busy.wait(20)
    clients = [socket.create_connection((where.hostname, where.port)) for _ in range(8)]
    sandbox._server.request_stop()
    may_go_on.set()
    sandbox.stop()
    for client in clients:
        client.close()
    gc.collect()
    assert unclosed == []


def test_a_given_database_is_left_alone(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with start(db):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["pods.sqlite"]


def test_it_says_nothing_and_touches_nobodys_loggers(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: vars(logging.getLogger(name)).copy() for name in ("uvicorn", "uvicorn.error", "asyncio")}
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.INFO), start() as sandbox, Caller(sandbox.url) as caller:
        caller.order()
        caller.get("/api/v1/pods/unknown")
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if "uvicorn" in record.name] == []
    for name, attributes in before.items():
        after = vars(logging.getLogger(name))
        assert (after["level"], after["filters"], after["handlers"]) == (
            attributes["level"],
            attributes["filters"],
            attributes["handlers"],
        )


def test_it_is_light_to_import() -> None:
    script = (
        "import sys, primepods_magic.sandbox; print({'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PROJECT)
    assert run.stdout == "set()\n", run.stderr


def test_it_knows_nothing_of_the_client() -> None:
    script = (
        "import sys, primepods_magic.sandbox.__main__; "
        "ours = {m for m in sys.modules if m.startswith('primepods_magic.') and 'sandbox' not in m}; "
        "print(sorted(ours - {'primepods_magic._version'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PROJECT)
    assert run.stdout == "[]\n", run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_says_one_line_and_ends_quietly(
    spawn: Spawn, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sandbox = spawn("--clock", "stepped", "--start", "2027-01-02T03:04:05Z", "--dialect", "published")
    assert len(list(tmp_path.iterdir())) == 1
    with Caller(sandbox.url) as caller:
        about = caller.get("/sandbox").json()
        assert about["dialect"] == "published"
        assert about["clock"] == {"mode": "stepped", "speed": 1.0, "now": "2027-01-02T03:04:05.000Z"}
        assert sandbox.end(number) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_port_can_be_chosen(spawn: Spawn) -> None:
    port = free_port()
    assert spawn("--port", str(port)).url == f"http://127.0.0.1:{port}"


Refused = Callable[..., list[str]]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Iterator[Refused]:
    """The lines with which the program refuses to start with these arguments."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logger = logging.getLogger("primepods_magic.sandbox")
    before = list(logger.handlers)

    def run(*arguments: str) -> list[str]:
        try:
            code = main(arguments)
        except SystemExit as left:
            code = left.code
        out, said = capfd.readouterr()
        assert (code, out) == (2, "")
        return said.splitlines()

    yield run
    logger.handlers[:] = before
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 is not a loopback address"),
        (("--host", "example.org"), "example.org is not a loopback address"),
        (("--speed", "0"), "speed must be above 0"),
        (("--speed", "nan"), "speed must be above 0"),
        (("--page-cap", "0"), "page_cap must be"),
        (("--port", "70000"), "port must be"),
        (("--db", "/nowhere/pods.sqlite"), "/nowhere/pods.sqlite"),
        (("--db", "/"), "/ is a folder"),
        (("--db", __file__), "is not a database of the sandbox"),
        (("--seed", "9" * 26), "seed must be between -9223372036854775808 and 9223372036854775807"),
        (("--history", "9" * 26), "history must be between 0 and 1000000 rows"),
        (("--latency-ms", "9" * 400), "latency_ms must be between 0 and 3600000"),
        (("--start", "0001-01-01"), "start must be between 1970-01-01 and 9999-01-01"),
    ],
)
def test_the_program_refuses_in_one_line(refused: Refused, arguments: tuple[str, ...], said: str) -> None:
    (line,) = refused(*arguments)
    assert said in line


@pytest.mark.parametrize("option", ["--start", "--seed", "--port", "--speed", "--clock", "--dialect"])
def test_what_cannot_be_read_is_refused_in_a_readers_words(refused: Refused, option: str) -> None:
    line = refused(option, "x")[-1]
    assert f"argument {option}: " in line
    assert "'x'" in line
    # No name of a function of ours.
    assert " _" not in line
    if option == "--start":
        assert "Use 2026-09-14T08:00:00Z" in line


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1, 10**26])
def test_a_seed_has_64_bits(seed: int) -> None:
    with pytest.raises(ValueError, match="seed must be between"):
        start(seed=seed)


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63), 0])
def test_every_seed_of_64_bits_tells_a_story(seed: int) -> None:
    with start(seed=seed) as sandbox, Caller(sandbox.url) as caller:
        assert caller.order()["status"] == "PROVISIONING"


def test_a_taken_port_is_one_line(spawn: Spawn) -> None:
    port = spawn().url.rpartition(":")[2]
    run = subprocess.run(
        [sys.executable, "-m", "primepods_magic.sandbox", "--port", port],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=30,
    )
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
