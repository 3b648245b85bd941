"""Transfers of files: streams in blocks that are numbered, so that one that arrives twice counts once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from ..folders import root_folder
from ..frames import Header
from .listing import (
    MAX_LIST_BYTES,
    find_free_bytes,
    hash_files,
    list_tree,
    look_up,
    pack_entries,
    read_entry,
    remove_files,
)
from .pack import iterate_blocks
from .patterns import list_matches
from .root import FileProblem, Root
from .stream import BadStream
from .unpack import DiskFull, Unpacker, describe_error

__all__ = ["FileService", "Requester"]

_MAX_TRANSFERS = 32
_MAX_KEPT_BLOCKS = 8
_MAX_NAMES = 100
_PRIVATE = "values"
_OWN = "that is the folder of the agent"


class Requester(Protocol):
    """The client that has asked."""

    has_left: bool

    def write(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Send a frame."""


class _Upload:
    """Files that a client sends."""

    def __init__(self, header: Header) -> None:
        self.lock = asyncio.Lock()
        self.path = find_root(header["root"])
        self.client: Requester | None = None
        self.is_dropped = False
        self._unpacker: Unpacker | None = None
        self._next = 0
        self._result: Header | None = None

    def open(self, buffers: Sequence[bytes]) -> Header:
        if self._unpacker is None and self._result is None:
            self._unpacker = Unpacker(Root(self.path, make=True, mode=0o700), accept=self._protect_own)
        return {"path": self.path}

    def _protect_own(self, facts: Header) -> None:
        own = find_own(self.path)
        if own and is_below(facts["path"], own):
            raise FileProblem(_OWN)

    def write(self, header: Header, buffers: Sequence[bytes]) -> Header:
        if header["number"] > self._next or (self._unpacker is None and self._result is None):
            return {"problem": "gone"}
        if header["number"] == self._next and self._unpacker is not None:
            self._next += 1
            try:
                for buffer in buffers:
                    self._unpacker.feed(buffer)
            except Exception:
                # What follows would be read from the middle.
                self.close()
                raise
        return {}

    def count_blocks(self) -> Header:
        """Say up to which block everything has arrived; none if the client is to be told what went wrong."""
        return {"next": 0 if self._unpacker is None and self._result is None else self._next}

    @property
    def is_open(self) -> bool:
        return self._unpacker is not None

    def finish(self) -> Header:
        if self._unpacker is not None:
            self._unpacker.finish()
            self._result = {"failures": self._unpacker.failures}
            self.close()
        return {"problem": "gone"} if self._result is None else self._result

    def close(self) -> None:
        if self._unpacker is not None:
            self._unpacker.close()
            self._unpacker = None


class _Download:
    """Files that a client fetches. What it has not confirmed is kept: it may ask for it again."""

    def __init__(self, header: Header) -> None:
        self.lock = asyncio.Lock()
        self.path = find_root(header["root"])
        self.client: Requester | None = None
        self.is_dropped = False
        self._root: Root | None = None
        self._blocks: Iterator[list[bytes]] | None = None
        self._kept: OrderedDict[int, list[bytes]] = OrderedDict()
        self._next = 0

    def open(self, buffers: Sequence[bytes]) -> Header:
        if self._root is None:
            self._root = Root(self.path)
            self._blocks = iterate_blocks(self._root, json.loads(buffers[0]))
        return {"path": self.path}

    @property
    def is_open(self) -> bool:
        return self._blocks is not None

    def read(self, header: Header) -> tuple[Header, list[bytes]]:
        number = header["number"]
        for old in [kept for kept in self._kept if kept < header["done"]]:
            del self._kept[old]
        while self._next <= number and self._blocks is not None and len(self._kept) < _MAX_KEPT_BLOCKS:
            block = next(self._blocks, None)
            if block is None:
                self.close()
            else:
                self._kept[self._next] = block
                self._next += 1
        if number in self._kept:
            return {"is_end": False}, self._kept[number]
        has_ended = self._root is not None and self._blocks is None and number >= self._next
        return ({"is_end": True} if has_ended else {"problem": "gone"}), []

    def close(self) -> None:
        self._blocks = None
        if self._root is not None:
            self._root.close()


class FileService:
    """Carries out requests for files, each in a thread, those of a transfer in order."""

    def __init__(self) -> None:
        self._transfers: OrderedDict[str, _Upload | _Download] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open_count(self) -> int:
        """The number of requests and transfers under way, without those of clients that have left."""
        held = [each.client for each in self._transfers.values() if each.is_open and not each.is_dropped]
        return len(self._tasks) + sum(client is not None and not client.has_left for client in held)

    def start(self, client: Requester, header: Header, buffers: Sequence[bytes]) -> None:
        """Carry out a request; the client gets the reply later. It may arrive more than once."""
        task = asyncio.ensure_future(self._send_reply(client, header, buffers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_reply(self, client: Requester, header: Header, buffers: Sequence[bytes]) -> None:
        out: list[bytes] = []
        try:
            reply = await self._carry_out(client, header, buffers)
            if isinstance(reply, tuple):
                reply, out = reply
        except DiskFull as error:
            reply = {"problem": "full", "text": str(error)}
        except BadStream as error:
            reply = {"problem": "stream", "text": str(error)}
        except OSError as error:
            reply = {"problem": "failed", "text": describe_error(error)}
        except Exception as error:  # noqa: BLE001 - the client would only send it again
            reply = {"failed": f"{type(error).__name__}: {error}"}
        client.write({**reply, "type": "reply", "id": header["id"]}, out)

    async def _carry_out(self, client: Requester, header: Header, buffers: Sequence[bytes]) -> Any:
        op, name = header["op"], header.get("transfer", "")
        if op in _SIMPLE:
            return await _run_in_thread(_SIMPLE[op], find_root(header["root"]), json.loads(buffers[0]))
        transfer = self._transfers.get(name)
        # Before anything is waited for: the requests that follow are here already.
        if transfer is None and op in ("file_upload", "file_download"):
            transfer = self._transfers[name] = (_Upload if op == "file_upload" else _Download)(header)
        if transfer is None:
            return {"next": 0} if op == "file_next" else {"problem": "gone"}
        transfer.client = client
        # Before it has its turn: what the client has sent before that is not written any more.
        transfer.is_dropped = transfer.is_dropped or op == "file_drop"
        async with transfer.lock:
            if transfer.is_dropped and op != "file_drop":
                return {"problem": "gone", "next": 0}
            if op in ("file_upload", "file_download"):
                await self._make_room(transfer)
                return await _run_in_thread(transfer.open, buffers)
            if op == "file_next" and isinstance(transfer, _Upload):
                return transfer.count_blocks()
            if op == "file_write" and isinstance(transfer, _Upload):
                return await _run_in_thread(transfer.write, header, buffers)
            if op == "file_read" and isinstance(transfer, _Download):
                return await _run_in_thread(transfer.read, header)
            if op == "file_finish" and isinstance(transfer, _Upload):
                return await _run_in_thread(transfer.finish)
            if op == "file_drop":
                self._transfers.pop(name, None)
                await _run_in_thread(transfer.close)
        return {}

    async def _make_room(self, new: _Upload | _Download) -> None:
        """End transfers to the same folder that a client has dropped or left, and the oldest of too many."""
        for name, transfer in list(self._transfers.items()):
            has_left = transfer.client is not None and transfer.client.has_left
            is_abandoned = (has_left or transfer.is_dropped) and transfer.path == new.path
            if transfer is not new and (is_abandoned or len(self._transfers) > _MAX_TRANSFERS):
                self._transfers.pop(name, None)
                async with transfer.lock:
                    await _run_in_thread(transfer.close)


async def _run_in_thread(call: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, *args)


def find_root(root: str) -> str:
    """Return a folder of the pod: relative to the home, or our own for values if it is empty.

    >>> find_root("/data")
    '/data'
    """
    if not root:
        return os.path.join(root_folder(), _PRIVATE)
    home = os.path.expanduser("~")
    if root == "~" or root.startswith("~/"):
        root = root[2:]
    return os.path.normpath(os.path.join(home, root))


def find_own(path: str) -> str | None:
    """Return the path below a folder of our own one, which is empty if it is in that; None if it is not."""
    own, folder = os.path.realpath(root_folder()), os.path.realpath(path)
    if is_below(folder, own):
        return ""
    return os.path.relpath(own, folder) if is_below(own, folder) else None


def is_below(path: str, folder: str) -> bool:
    """Return whether a path is that of a folder, or of something in it.

    >>> is_below("a", "a"), is_below("a/b", "a"), is_below("ab", "a"), is_below("/a", "/")
    (True, True, False, True)
    """
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _list_folder(path: str, wanted: list[str] | str | None) -> tuple[Header, list[bytes]]:
    """List a folder, or what matches a pattern in it, or look up names; a path may also be that of a file."""
    own = find_own(path)
    if own == "":
        return {"problem": "failed", "text": _OWN}, []
    has_home = is_below(os.path.realpath(os.path.expanduser("~")), os.path.realpath(path))
    facts: Header = {"path": path, "free_bytes": find_free_bytes(path), "has_home": has_home}
    if not os.path.exists(path) or (isinstance(wanted, str) and not os.path.isdir(path)):
        return {**facts, "kind": "none"}, []
    if not os.path.isdir(path):
        # A link that was named is followed.
        folder, name = os.path.split(os.path.realpath(path))
        entry = read_entry(name, os.stat(path))
        return {**facts, "kind": "file", "path": folder}, [pack_entries([entry])]
    if isinstance(wanted, list):
        with Root(path) as root:
            return {**facts, "kind": "dir"}, [pack_entries(look_up(root, wanted))]
    if wanted is not None:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        facts["names"] = names[:_MAX_NAMES]
    entries = list_tree(path) if wanted is None else list_matches(path, wanted)
    data = pack_entries(entry for entry in entries if not own or not is_below(entry.path, own))
    if len(data) > MAX_LIST_BYTES:
        return {"problem": "failed", "text": f"more files in {path} than can be listed"}, []
    return {**facts, "kind": "dir"}, [data]


def _hash_folder(path: str, files: list[Sequence[Any]]) -> tuple[Header, list[bytes]]:
    with Root(path) as root:
        return {}, ["\n".join(hash_files(root, files)).encode()]


def _remove_folder(path: str, files: list[Sequence[Any]]) -> Header:
    with Root(path) as root:
        return {"failures": remove_files(root, files)}


def _claim_folder(path: str, claim: list[Any]) -> Header:
    """Note which folder of a client is sent to one here; return which one it has been, unless forced."""
    owner, is_forced = claim
    folder = os.path.join(root_folder(), "projects")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    note = os.path.join(folder, hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest())
    if is_forced or not os.path.isdir(path) or not os.path.exists(note):
        with open(note, "w", encoding="utf-8") as file:
            file.write(owner)
    with open(note, encoding="utf-8") as file:
        return {"text": file.read()}


_SIMPLE: dict[str, Callable[..., Any]] = {
    "file_claim": _claim_folder,
    "file_list": _list_folder,
    "file_hash": _hash_folder,
    "file_remove": _remove_folder,
}
"""Requests that are no part of a transfer."""
