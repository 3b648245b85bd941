"""One SSH connection to a pod's agent: the handshake, frames in both directions, and liveness checks."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

from primepods_magic.api.errors import PodsError, SshFailed
from primepods_magic.api.text.sanitize import sanitize, shorten

from .agent.frames import Frame, Header, pack_frame, read_frame
from .agent.pipes import PIPE_BYTES, enlarge_pipe
from .agent_archive import AgentArchive
from .frame_checks import clean_header
from .ssh.client import SshProcess, SshRoute

__all__ = ["AgentChannel", "start_thread"]

# A link that is dead in one direction is noticed after the sum of these two: 14 s.
PING_S = 4.0
PONG_S = 10.0
LOGIN_S = 20.0
HANDSHAKE_S = 60.0
_TICK_S = 0.2
_JOIN_S = 3.0
# This much data in a row shows that a pong is merely late.
_PROGRESS_BYTES = PIPE_BYTES
_PING = pack_frame({"op": "ping"})
_MAX_BANNER_BYTES = 1 << 20


def start_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread of a connection; raise PodsError if this process cannot have another one."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise PodsError(
            "Cannot connect to the pod: this process cannot start another thread. Nothing was run. End what "
            "uses many threads, or restart the kernel. The pod is billed"
        ) from None
    return thread


class AgentChannel:
    """A connection that is read in the caller's thread and written in a separate one.

    Parameters
    ----------
    ssh : SshProcess
        Running `agent_archive.COMMAND`.
    route : SshRoute
    """

    def __init__(self, ssh: SshProcess, route: SshRoute) -> None:
        self._ssh = ssh
        self._route = route
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._pinged_at: float | None = None
        self._received_bytes = 0
        self.frame_bytes = 0
        """Size of the last frame."""
        self.timed_out = ""
        """The action that the pod did not complete in time; empty if there is none."""

    def shake_hands(self, archive: AgentArchive) -> None:
        """Start the bridge to the agent, sending the agent first if the pod lacks it; skip banners."""
        stdin, stdout = self._ssh.process.stdin, self._ssh.process.stdout
        assert stdin is not None
        assert stdout is not None
        for pipe in (stdin, stdout):
            enlarge_pipe(pipe.fileno())
        cookie = secrets.token_hex(16)
        with self._limit_time():
            stdin.write(archive.make_first_line(cookie))
            stdin.flush()
            skipped = 0
            while True:
                line = stdout.readline(_MAX_BANNER_BYTES)
                skipped += len(line)
                if not line or skipped > _MAX_BANNER_BYTES:
                    raise EOFError
                if not line.startswith(cookie.encode()):
                    continue
                word, _, rest = line[len(cookie) :].decode("utf-8", "replace").strip().partition(" ")
                if word == "ready":
                    break
                if word != "need":
                    raise _make_start_failure(self._route, word, sanitize(shorten(rest, 300)))
                stdin.write(archive.data)
                stdin.flush()
        self._writer = start_thread(self._write_out, "primepods-link-writer")

    @contextlib.contextmanager
    def _limit_time(self) -> Iterator[None]:
        """Kill the client if it does not log in, or its command does not answer, in time."""
        began = time.monotonic()
        is_over = threading.Event()

        def watch() -> None:
            is_logged_in = False
            while not is_over.wait(_TICK_S) and not self._ssh.has_long_log:
                lasted_s = time.monotonic() - began
                if lasted_s > LOGIN_S and not is_logged_in:
                    is_logged_in = self._ssh.is_logged_in
                    if not is_logged_in:
                        return self._give_up("log in")
                if lasted_s > HANDSHAKE_S:
                    return self._give_up("answer")
            if not is_over.is_set():
                self._ssh.kill()
            return None

        watcher = start_thread(watch, "primepods-link-watcher")
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def _give_up(self, what: str) -> None:
        self.timed_out = what
        self._ssh.kill()

    def send(self, data: bytes) -> None:
        """Send a frame."""
        self._outbox.put(data)

    def close(self) -> None:
        """End the client."""
        self._outbox.put(None)
        self._ssh.kill()
        if self._writer:
            self._writer.join(_JOIN_S)

    def raise_failure(self) -> NoReturn:
        """Raise the reason why the connection has ended."""
        name = self._route.name
        self._ssh.check_log()
        if self.timed_out and not self._ssh.is_logged_in:
            raise SshFailed(
                f"Cannot log in to '{name}': it does not answer. The pod is still billed",
                reason="unreachable",
            )
        if not self.timed_out:
            self._ssh.check_connection()
        raise SshFailed(f"The connection to '{name}' was lost. The pod is still billed", reason="lost")

    def read_frame(self, check: Callable[[Header, list[int]], object]) -> Frame:
        """Return the next frame; raise EOFError at the end of the connection, BadFrame for other data.

        `check` is given its header and the sizes of its buffers before they are read.
        """

        def clean_and_check(header: Header, sizes: list[int]) -> None:
            clean_header(header)
            check(header, sizes)

        while True:
            self.frame_bytes = 0
            header, buffers = read_frame(self, clean_and_check)  # type: ignore[arg-type]
            if header.get("type") != "pong":
                return header, buffers
            self._pinged_at = None

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes from the connection."""
        stdout: Any = self._ssh.process.stdout
        data: bytes = stdout.read(min(size, PIPE_BYTES))
        self.frame_bytes += len(data)
        self._received_bytes += len(data)
        if self._received_bytes > _PROGRESS_BYTES:
            self._note_progress()
        return data

    def _note_progress(self) -> None:
        self._received_bytes = 0
        if self._pinged_at is not None:
            self._pinged_at = time.monotonic()

    def _write_out(self) -> None:
        """Write queued data, and a ping at intervals: a link may be dead in one direction only."""
        stdin: Any = self._ssh.process.stdin
        next_ping = time.monotonic() + PING_S
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(stdin.fileno(), False)
            while True:
                data: bytes | None = b""
                with contextlib.suppress(Empty):
                    data = self._outbox.get(timeout=min(_TICK_S, PING_S))
                if data is None or self._must_end():
                    return
                if time.monotonic() >= next_ping:
                    next_ping = time.monotonic() + PING_S
                    if self._pinged_at is None:
                        data += _PING
                        self._received_bytes = 0
                        self._pinged_at = time.monotonic()
                self._write_all(stdin.fileno(), data)

    def _write_all(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if select.select([], [fd], [], _TICK_S)[1]:
                try:
                    rest = rest[os.write(fd, rest[:PIPE_BYTES]) :]
                except BlockingIOError:
                    continue
                if len(rest) > 0:
                    # The client accepted the data before it, so the pod did too.
                    self._note_progress()
            elif self._pinged_at is None:
                # This must not last longer than a pong may take.
                self._pinged_at = time.monotonic()
                rest = memoryview(bytes(rest) + _PING)
            elif self._must_end():
                return

    def _must_end(self) -> bool:
        if self._ssh.has_long_log:
            self._ssh.kill()
            return True
        return self._is_dead()

    def _is_dead(self) -> bool:
        if self._pinged_at is None or time.monotonic() - self._pinged_at <= PONG_S:
            return False
        self._give_up("answer")
        return True


def _make_start_failure(route: SshRoute, word: str, details: str) -> SshFailed:
    name, run = route.name, f"%pods exec {route.cli_name} --"
    if word == "no-python":
        return SshFailed(
            f"'{name}' has no Python 3.8 or newer. Nothing was run. '{run} "
            "apt-get update && apt-get install -y python3' installs it on Debian and Ubuntu",
            reason="setup",
        )
    help_text = "The pod is still billed"
    if any(word in details for word in ("No space left", "quota", "File too large")):
        help_text = f"'{run} df -h ~' shows its disks"
    elif any(word in details for word in ("Read-only", "Permission denied", "File exists", "Not a dir")):
        help_text = f"'{run} ls -ld ~ ~/.primepods' shows who may write there"
    return SshFailed(
        f"Cannot set up cells on '{name}' ({details}). Nothing was run. {help_text}", reason="setup"
    )
