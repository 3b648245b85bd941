"""`pod.wait` in a script shows a bar on stderr, if that is a terminal, and writes nothing to stdout."""

from __future__ import annotations

import io
import os
import pty
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from primepods_magic import launch
from primepods_magic.api.errors import InvalidRequest, WaitTimedOut
from primepods_magic.pods.connection.connection import Connection

pytestmark = pytest.mark.usefixtures("connection")


class Terminal:
    """A pseudo-terminal that is read all the time, so that writing to it never waits."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stream = open(slave, "w", encoding="utf-8")  # noqa: SIM115 - closed by `read`
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        try:
            while part := os.read(self._master, 65536):
                self._parts.append(part)
        except OSError:
            return  # The other side is closed.

    def read(self) -> str:
        """Close it, and return all that was written."""
        self.stream.close()
        self._reader.join(timeout=5)
        with suppress(OSError):
            os.close(self._master)
        return b"".join(self._parts).decode()


@contextmanager
def stderr_terminal(monkeypatch: pytest.MonkeyPatch, kind: str = "xterm-256color") -> Iterator[Terminal]:
    """Make stderr a terminal. Not a fixture: pytest sets its own stderr before each test."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("TERM", kind)
        patch.setenv("COLUMNS", "100")
        patch.setattr(sys, "stderr", terminal.stream)
        yield terminal


def test_shows_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with stderr_terminal(monkeypatch) as stderr:
        pod = launch(gpu="L4_24GB", name="train").wait()
    wrote = stderr.read()
    assert pod.is_ready
    assert "provisioning" in wrote
    assert "ready" in wrote
    assert str(pod.ssh) in wrote
    assert wrote.endswith("\x1b[?25h")
    assert capfd.readouterr() == ("", "")


def test_releases_the_terminal_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    with stderr_terminal(monkeypatch) as stderr, pytest.raises(WaitTimedOut):
        pod.wait(timeout=1)
    assert stderr.read().endswith("\x1b[?25h")


def test_shows_nothing_if_told_so_or_if_there_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_terminal(monkeypatch) as stderr:
        launch(gpu="L4_24GB", name="train").wait(progress=False).wait()
    assert stderr.read() == ""


def test_shows_nothing_on_a_simple_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with stderr_terminal(monkeypatch, "dumb") as stderr:
        launch(gpu="L4_24GB", name="train").wait()
    assert stderr.read() == ""


def test_shows_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    launch(gpu="L4_24GB", name="train").wait()
    assert file.getvalue() == ""


def test_the_terminal_leaves_what_another_thread_prints_to_a_file(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    pod = launch(gpu="L4_24GB", name="train")
    watch = connection.poller.watch([pod.details], lambda snapshot: print(snapshot.pods[0].status))
    with stderr_terminal(monkeypatch) as stderr, watch:
        pod.wait()
    assert "ready" in stderr.read()
    assert "ACTIVE" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_refuses_another_value_than_true_and_false() -> None:
    with pytest.raises(InvalidRequest, match="'progress' must be True or False"):
        launch(gpu="L4_24GB", name="train").wait(progress="no")  # type: ignore[arg-type]
