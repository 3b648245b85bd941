"""The connection to a pod's agent: it reconnects by itself, and neither loses nor repeats anything."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from primepods_magic.api.errors import PodsError, SshFailed
from primepods_magic.api.text.sanitize import sanitize, shorten

from .agent.frames import BadFrame, Header, pack_frame, read_frame
from .agent_archive import COMMAND, build_archive
from .ssh_client import SshProcess, SshRoute, open_ssh

__all__ = ["FrameHandler", "PodLink"]

FrameHandler = Callable[[Header, list[bytes]], object]

_HANDSHAKE_S = 60.0
_PING_S = 5.0
_PONG_S = 10.0
_BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
_PATIENCE_S = 90.0
_MAX_BANNER_BYTES = 1 << 20
_JOIN_S = 3.0
# These do not go away by trying again.
_FINAL = ("host-key", "setup")


class PodLink:
    """A connection to the agent of a pod, kept up in the background until it is closed.

    Parameters
    ----------
    route : SshRoute
        How the pod is reached.
    find_end : callable
        Asks the service whether the pod ended: returns a sentence if it did, else None. Called now and then
        while there is no connection.
    is_fresh : bool
        Whether the pod just became ready: its SSH server may then refuse logins for a while.
    """

    def __init__(
        self, route: SshRoute, find_end: Callable[[], str | None], *, is_fresh: bool = False
    ) -> None:
        self.name = route.name
        self.connected = threading.Event()
        self.failure: PodsError | None = None
        """Why there is no connection and will be none."""
        self.trouble: SshFailed | None = None
        """Why there is no connection now."""
        self.connects = 0
        self._route = route
        self._find_end = find_end
        self._lock = threading.Lock()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._requests: dict[str, tuple[bytes, Future[Header]]] = {}
        self._sent: set[str] = set()
        self._followed: dict[str, int] = {}
        self._handlers: dict[str, FrameHandler] = {}
        self._is_closed = False
        self._wake = threading.Event()
        self._ssh: SshProcess | None = None
        self._pinged_at: float | None = None
        self._trouble_since: float | None = time.monotonic()
        self._patience_s = _PATIENCE_S if is_fresh else 0.0
        self._thread = threading.Thread(target=self._keep_up, name="primepods-link", daemon=True)
        self._thread.start()

    # For callers

    def request(self, op: str, buffers: Sequence[bytes] = (), **values: Any) -> Future[Header]:
        """Send a request that the agent carries out exactly once; the future has its answer.

        It waits for a connection. The future fails if there will be none.
        """
        header = {"id": secrets.token_hex(8), **values, "op": op}
        future: Future[Header] = Future()
        data = pack_frame(header, buffers)
        with self._lock:
            if self.failure:
                future.set_exception(self.failure)
                return future
            self._requests[header["id"]] = (data, future)
            if self.connected.is_set():
                self._outbox.put(data)
                self._sent.add(header["id"])
        return future

    def withdraw(self, request_id: str) -> bool:
        """Take back a request that waits for a connection; return whether it was certainly not sent."""
        with self._lock:
            self._requests.pop(request_id, None)
            return request_id not in self._sent

    def follow(self, job: str, handler: FrameHandler, *, first: int = 0) -> None:
        """Pass each frame of a job, in order and once, to a handler, which is called in the link's thread."""
        with self._lock:
            self._followed[job] = first
            self._handlers[job] = handler
            self._send_now({"op": "follow", "job": job, "next": first})

    def leave(self, job: str) -> None:
        """Stop following a job."""
        with self._lock:
            if self._followed.pop(job, None) is not None:
                del self._handlers[job]
                self._send_now({"op": "leave", "job": job})

    def note_used(self, job: str, number: int) -> None:
        """Say that everything before a frame was shown: the agent sends only so much ahead."""
        with self._lock:
            self._send_now({"op": "used", "job": job, "next": number})

    def close(self) -> None:
        """End the connection; what runs on the pod runs on."""
        self._is_closed = True
        self._wake.set()
        self._end_ssh()
        self._thread.join(_JOIN_S)
        self._fail(
            PodsError(f"The connection to '{self.name}' was closed. The pod keeps running and is billed")
        )

    @property
    def is_alive(self) -> bool:
        """Whether it is connected, or will try to be."""
        return self.failure is None and not self._is_closed

    # The background

    def _send_now(self, header: Header) -> None:
        """Send what a new connection would send again by itself."""
        if self.connected.is_set():
            self._outbox.put(pack_frame(header))

    def _keep_up(self) -> None:
        attempt = 0
        while self.is_alive:
            before = self.connects
            try:
                self._connect_once()
            except SshFailed as error:
                self._note_trouble(error)
            except Exception as error:  # noqa: BLE001 - callers wait for the outcome
                self._fail(PodsError(f"The connection to '{self.name}' failed: {type(error).__name__}"))
            attempt = 0 if self.connects > before else attempt + 1
            if self.is_alive:
                self._wake.wait(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])

    def _connect_once(self) -> None:
        with open_ssh(self._route, COMMAND) as ssh:
            self._ssh = ssh
            threads: list[threading.Thread] = []
            try:
                self._shake_hands(ssh)
                ssh.hide_log()
                outbox: SimpleQueue[bytes | None] = SimpleQueue()
                threads.append(threading.Thread(target=self._write_out, args=(ssh, outbox), daemon=True))
                self._begin(outbox)
                threads[0].start()
                self._read_in(ssh)
            except (EOFError, OSError, BadFrame):
                pass
            finally:
                with self._lock:
                    self.connected.clear()
                self._ssh = None
                self._outbox.put(None)
                ssh.kill()
            for thread in threads:
                thread.join(_JOIN_S)
            if not self._is_closed:
                ssh.check_connection()
                raise SshFailed(
                    f"The connection to '{self.name}' was lost. The pod is still billed", reason="lost"
                )

    def _shake_hands(self, ssh: SshProcess) -> None:
        """Start the bridge to the agent, sent first if the pod does not have it; banners are skipped."""
        stdin, stdout = ssh.process.stdin, ssh.process.stdout
        assert stdin is not None
        assert stdout is not None
        archive = build_archive()
        cookie = secrets.token_hex(16)
        watchdog = threading.Timer(_HANDSHAKE_S, ssh.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
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
                    return
                if word == "need":
                    stdin.write(archive.data)
                    stdin.flush()
                    continue
                raise self._make_start_failure(word, sanitize(shorten(rest, 300)))
        finally:
            watchdog.cancel()

    def _make_start_failure(self, word: str, details: str) -> SshFailed:
        cli_name = self._route.cli_name
        if word == "no-python":
            return SshFailed(
                f"'{self.name}' has no Python 3.8 or newer. Nothing was run. '%pods exec {cli_name} -- "
                "apt-get update && apt-get install -y python3' installs it on Debian and Ubuntu",
                reason="setup",
            )
        full = "No space left" in details
        return SshFailed(
            f"Cannot set up cells on '{self.name}' ({details}). Nothing was run. "
            + (f"'%pods exec {cli_name} -- df -h ~' shows its disks" if full else "The pod is still billed"),
            reason="setup",
        )

    def _begin(self, outbox: SimpleQueue[bytes | None]) -> None:
        """Send everything again that the agent may not have got, and go on where the journals were left."""
        with self._lock:
            self._outbox = outbox
            for request_id, (data, _) in self._requests.items():
                outbox.put(data)
                self._sent.add(request_id)
            for job, number in self._followed.items():
                outbox.put(pack_frame({"op": "follow", "job": job, "next": number}))
            self._pinged_at = None
            self.trouble = self._trouble_since = None
            self.connects += 1
            self.connected.set()

    def _write_out(self, ssh: SshProcess, outbox: SimpleQueue[bytes | None]) -> None:
        """Write what is sent, and a ping now and then: a link may be dead in one direction only."""
        assert ssh.process.stdin is not None
        next_ping = time.monotonic() + _PING_S
        while True:
            data: bytes | None = b""
            with contextlib.suppress(Empty):
                data = outbox.get(timeout=max(0.05, next_ping - time.monotonic()))
            if data is None:
                return
            now = time.monotonic()
            if self._pinged_at is not None and now - self._pinged_at > _PONG_S:
                ssh.kill()
                return
            if now >= next_ping:
                next_ping = now + _PING_S
                if self._pinged_at is None:
                    self._pinged_at = now
                    data = (data or b"") + pack_frame({"op": "ping"})
            try:
                ssh.process.stdin.write(data or b"")
                ssh.process.stdin.flush()
            except (OSError, ValueError):
                return

    def _read_in(self, ssh: SshProcess) -> None:
        stdout: Any = ssh.process.stdout
        while True:
            header, buffers = read_frame(stdout)
            kind = header.get("type")
            if kind == "pong":
                self._pinged_at = None
            elif kind == "reply":
                with self._lock:
                    _, future = self._requests.pop(header.get("id", ""), (b"", None))
                    self._sent.discard(header.get("id", ""))
                if future is not None and not future.cancelled():
                    future.set_result(header)
            elif "job" in header:
                self._pass_frame(header, buffers)

    def _pass_frame(self, header: Header, buffers: list[bytes]) -> None:
        job = header["job"]
        with self._lock:
            handler = self._handlers.get(job)
            if handler is None:
                return
            number = header.get("n")
            if header["type"] not in ("input_wanted", "unknown"):
                if number != self._followed[job]:
                    return
                self._followed[job] = number + header.get("dropped", 1)
        with contextlib.suppress(Exception):
            # A fault in showing something must not look like a lost connection.
            handler(header, buffers)

    def _note_trouble(self, error: SshFailed) -> None:
        now = time.monotonic()
        self.trouble = error
        if self._trouble_since is None:
            self._trouble_since = now
        lasted_s = now - self._trouble_since
        is_new = not self.connects
        if error.reason in _FINAL or (is_new and lasted_s >= self._patience_s):
            self._fail(error)
            return
        if error.reason == "denied" and lasted_s >= _PATIENCE_S:
            self._fail(error)
            return
        if not is_new or self._patience_s:
            end = self._find_end()
            if end:
                self._fail(PodsError(end))

    def _fail(self, error: PodsError) -> None:
        with self._lock:
            if self.failure is None:
                self.failure = error
            waiting = [future for _, future in self._requests.values()]
            handlers = list(self._handlers.items())
            self._requests.clear()
            self._handlers.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        for job, handler in handlers:
            with contextlib.suppress(Exception):
                handler({"type": "link_failed", "job": job}, [])

    def _end_ssh(self) -> None:
        ssh = self._ssh
        if ssh is not None:
            ssh.kill()
