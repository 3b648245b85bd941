"""Streams of files to and from an agent: a window of blocks on their way, and an end by Ctrl-C."""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from primepods_magic.api.errors import PodsError, UnexpectedAnswer
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.support.progress import OnProgress
from primepods_magic.remote.agent.files.stream import BLOCK_BYTES, MAX_PIECE_BYTES, BadStream
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.link import PodLink

__all__ = [
    "Stopped",
    "StreamWatch",
    "ask_agent",
    "await_reply",
    "fetch_stream",
    "request_of",
    "send_stream",
]

WINDOW_BLOCKS = 3
MAX_BLOCK_BYTES = BLOCK_BYTES + MAX_PIECE_BYTES + 4096
_TICK_S = 0.2
_DROP_S = 2.0


class Stopped(Exception):
    """A transfer was told to stop."""


@dataclass
class StreamWatch:
    """How far a transfer is, and whether it is to stop.

    Attributes
    ----------
    total_bytes : int
        Of the content of all files.
    done_bytes : int
        Of content that has arrived.
    """

    total_bytes: int = 0
    on_progress: OnProgress | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done_bytes: int = 0

    def note_done(self, done_bytes: int) -> None:
        """Note how much has arrived."""
        self.done_bytes = done_bytes
        self.note_waiting()

    def note_waiting(self) -> None:
        """Show progress; raise Stopped if it is to stop."""
        if self.stop.is_set():
            raise Stopped
        if self.on_progress is not None:
            self.on_progress(self.done_bytes, self.total_bytes)


class _Transfer:
    """A transfer's requests: those that have no answer yet, in order."""

    def __init__(self, link: PodLink, watch: StreamWatch) -> None:
        self._link = link
        self._watch = watch
        self._name = secrets.token_hex(8)
        self._waiting: deque[tuple[str, Future[Header], int]] = deque()
        self.path = ""
        """The folder on the pod."""
        self.last: Header = {}
        """The last answer."""

    def request(
        self,
        op: str,
        buffers: Sequence[bytes] = (),
        *,
        done_bytes: int = 0,
        max_reply_bytes: int = 0,
        **values: Any,
    ) -> None:
        request_id = secrets.token_hex(8)
        future = self._link.request(
            op, buffers, id=request_id, transfer=self._name, max_reply_bytes=max_reply_bytes, **values
        )
        self._waiting.append((request_id, future, done_bytes))

    @property
    def waits_for(self) -> int:
        return len(self._waiting)

    def take_reply(self) -> tuple[Header, int]:
        """Return the answer to the oldest request, and what was noted with it."""
        _, future, done_bytes = self._waiting[0]
        header = await_reply(self._link, future, self._watch)
        self._waiting.popleft()
        self.last, self.path = header, header.get("path", self.path)
        return header, done_bytes

    def end(self) -> None:
        """Withdraw what has no answer, and let the agent forget the transfer, after what it is doing."""
        for request_id, _, _ in self._waiting:
            self._link.withdraw(request_id)
        if self._link.is_alive:
            dropped = self._link.request("file_drop", transfer=self._name)
            if self._waiting:
                wait([dropped], timeout=_DROP_S)


def await_reply(link: PodLink, future: Future[Header], watch: StreamWatch) -> Header:
    """Wait for an answer, which Ctrl-C ends; raise PodsError if it says that something is wrong."""
    while not future.done():
        watch.note_waiting()
        wait([future], timeout=_TICK_S)
    header = future.result()
    if "problem" in header:
        raise_problem(link, header)
    return header


def request_of(link: PodLink, op: str, content: Any, **values: Any) -> Future[Header]:
    """Send a request with content."""
    return link.request(op, [json.dumps(content, separators=(",", ":")).encode()], **values)


def ask_agent(link: PodLink, op: str, content: Any, watch: StreamWatch, **values: Any) -> Header:
    """Send a request with content, and return its answer."""
    return await_reply(link, request_of(link, op, content, **values), watch)


def send_stream(
    link: PodLink,
    root: str,
    blocks: Iterable[Sequence[bytes]],
    watch: StreamWatch,
    count_bytes: Callable[[], int],
) -> tuple[str, dict[str, str]]:
    """Send a stream into a folder of the pod; return where that is, and by path why files were not written.

    `count_bytes` returns how much content the blocks had so far.
    """
    transfer = _Transfer(link, watch)
    try:
        transfer.request("file_upload", root=root)
        for number, block in enumerate(blocks):
            while transfer.waits_for >= WINDOW_BLOCKS:
                watch.note_done(transfer.take_reply()[1])
            transfer.request("file_write", block, number=number, done_bytes=count_bytes())
        transfer.request("file_finish", done_bytes=count_bytes())
        while transfer.waits_for:
            watch.note_done(transfer.take_reply()[1])
        failures = transfer.last.get("failures", {})
        return transfer.path, {path: sanitize(shorten(str(why), 300)) for path, why in failures.items()}
    finally:
        transfer.end()


class _Receiver(Protocol):
    def feed(self, block: bytes) -> None: ...

    def finish(self) -> None: ...


def fetch_stream(
    link: PodLink,
    root: str,
    files: Sequence[dict[str, Any]],
    receiver: _Receiver,
    watch: StreamWatch,
) -> None:
    """Fetch files of a folder of the pod as a stream, and pass its blocks on."""
    transfer = _Transfer(link, watch)
    try:
        transfer.request("file_download", [json.dumps(list(files)).encode()], root=root)
        transfer.take_reply()
        asked = 0
        for done in range(1 << 60):
            while asked < done + WINDOW_BLOCKS:
                transfer.request("file_read", number=asked, done=done, max_reply_bytes=MAX_BLOCK_BYTES)
                asked += 1
            header, _ = transfer.take_reply()
            if header.get("is_end") is True:
                receiver.finish()
                return
            if not any(header["buffers"]):
                raise BadStream("a block that is empty")
            for block in header["buffers"]:
                receiver.feed(block)
            watch.note_waiting()
    except BadStream as error:
        raise UnexpectedAnswer(
            f"'{link.name}' sent something else than the files that were asked for ({error}). The transfer "
            "was ended. The pod is still billed"
        ) from None
    finally:
        transfer.end()


def raise_problem(link: PodLink, header: Header) -> NoReturn:
    """Raise the error of an answer that says that something is wrong."""
    text = sanitize(shorten(str(header.get("text", "")), 300))
    problem = header["problem"]
    if problem == "full":
        raise PodsError(
            f"The disk of '{link.name}' is full; {text} could not be written. Free space there, then run the "
            "same again. The pod is still billed"
        )
    if problem == "gone":
        raise PodsError(
            f"'{link.name}' no longer knows this transfer, because its agent was started again. Run the same "
            "again: what has arrived is not sent twice. The pod is still billed"
        )
    raise PodsError(f"'{link.name}' could not do it ({text}). The pod is still billed")
