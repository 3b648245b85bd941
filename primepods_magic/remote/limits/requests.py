"""Requests to an agent that have no answer yet, and which of them a new connection sends again."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from primepods_magic.remote.agent.frames import Header, pack_frame

__all__ = ["Request", "Requests"]


@dataclass
class Request:
    """A request that has no answer yet."""

    data: bytes
    max_reply_bytes: int = 0
    """Of the buffers of its answer."""

    transfer: str = ""
    """The transfer of files that it belongs to, if any."""

    block: int | None = None
    """Its number, if it sends a block of files."""

    future: Future[Header] = field(default_factory=Future)
    is_sent: bool = False
    """True if the agent may have it."""


class Requests:
    """The requests of one link. Each is sent over each new connection until it is answered.

    Blocks of files are large, so the agent is asked first which of them have arrived.

    Parameters
    ----------
    lock : threading.Lock
        Held for each call, but for that of `fail_all`.
    send : callable
        Sends a frame, and returns whether there is a connection.
    """

    def __init__(self, lock: threading.Lock, send: Callable[[bytes], bool]) -> None:
        self._lock = lock
        self._send = send
        self._waiting: dict[str, Request] = {}
        self._resuming: set[str] = set()
        """Transfers whose requests wait for the agent to say which blocks it has."""

    def add(
        self, header: Header, buffers: Sequence[bytes] = (), *, max_reply_bytes: int = 0
    ) -> Future[Header]:
        """Add a request and send it; raise BadFrame if it cannot be sent at all."""
        block = header["number"] if header["op"] == "file_write" else None
        data = pack_frame(header, buffers)
        request = Request(data, max_reply_bytes, header.get("transfer", ""), block)
        self._waiting[header["id"]] = request
        if request.transfer not in self._resuming:
            self._send_one(request)
        return request.future

    def find(self, request_id: str) -> Request | None:
        """Return a request that has no answer."""
        return self._waiting.get(request_id)

    def take(self, request_id: str) -> Request | None:
        """Return a request that has no answer, which is not sent again."""
        return self._waiting.pop(request_id, None)

    def resume(self) -> None:
        """Send over a new connection what the agent may not have received."""
        requests = list(self._waiting.values())
        self._resuming = {each.transfer for each in requests if each.is_sent and each.block is not None}
        for request in requests:
            if request.transfer not in self._resuming:
                self._send_one(request)
        for transfer in self._resuming:
            self._ask_for_next(transfer)

    def fail_all(self, error: Exception) -> None:
        """Let each request fail."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._resuming.clear()
        for request in waiting:
            with contextlib.suppress(InvalidStateError):
                request.future.set_exception(error)

    def _send_one(self, request: Request) -> None:
        was_sent = request.is_sent
        # First: Ctrl-C may come between the two.
        request.is_sent = True
        request.is_sent = self._send(request.data) or was_sent

    def _ask_for_next(self, transfer: str) -> None:
        request_id = secrets.token_hex(8)
        request = Request(pack_frame({"id": request_id, "op": "file_next", "transfer": transfer}))
        request.future.add_done_callback(lambda answer: self._resume_transfer(transfer, answer))
        self._waiting[request_id] = request
        self._send_one(request)

    def _resume_transfer(self, transfer: str, answer: Future[Header]) -> None:
        number = 0 if answer.exception() else answer.result().get("next", 0)
        arrived = []
        with self._lock:
            # An answer to what was asked over an earlier connection comes once more.
            if transfer not in self._resuming:
                return
            self._resuming.remove(transfer)
            for request_id, request in list(self._waiting.items()):
                if request.transfer != transfer:
                    continue
                if request.block is not None and request.block < number:
                    arrived.append(self._waiting.pop(request_id))
                else:
                    self._send_one(request)
        for request in arrived:
            with contextlib.suppress(InvalidStateError):
                request.future.set_result({"buffers": []})
