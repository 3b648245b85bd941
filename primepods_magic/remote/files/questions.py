"""Questions to an agent about files, and what it may answer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.remote.agent.files.listing import MAX_LIST_BYTES, Entry, parse_entries
from primepods_magic.remote.agent.files.patterns import PathPattern
from primepods_magic.remote.agent.files.stream import BadStream
from primepods_magic.remote.link import PodLink

from .streams import StreamWatch, ask_agent, await_reply, request_of

__all__ = [
    "RemoteFolder",
    "claim_remote",
    "hash_remote",
    "list_remote",
    "look_up_remote",
    "match_remote",
    "remove_remote",
]

_HASH_CHARS = 64


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of a pod, or a file that was named as one.

    Attributes
    ----------
    path : str
        Its full path; of a file, that of its folder.
    kind : str
        ``dir``, ``file``, or ``none``.
    free_bytes : int
        What its disk has left.
    has_home : bool
        It is the home there, or contains it.
    entries : dict of Entry
        By path.
    names : tuple of str
        What there is in it, of a folder that was searched with a pattern.
    """

    path: str
    kind: str
    free_bytes: int
    has_home: bool
    entries: Mapping[str, Entry]
    names: tuple[str, ...] = ()


def list_remote(link: PodLink, root: str, watch: StreamWatch) -> RemoteFolder:
    """Return everything in a folder, or a file."""
    return _ask_entries(link, root, None, watch)


def look_up_remote(link: PodLink, root: str, names: Sequence[str], watch: StreamWatch) -> RemoteFolder:
    """Return what there is in a folder of what is named."""
    return _ask_entries(link, root, names, watch)


def match_remote(link: PodLink, root: str, pattern: str, watch: StreamWatch) -> RemoteFolder:
    """Return what matches a pattern in a folder, and what of it cannot be read."""
    there = _ask_entries(link, root, pattern, watch)
    wanted = PathPattern(pattern)
    # It may not choose names of files here that no one has asked for.
    if not all(entry.kind == "unreadable" or wanted.matches(path) for path, entry in there.entries.items()):
        raise _make_refusal(link, "files that were not asked for")
    return there


def _ask_entries(
    link: PodLink, root: str, wanted: Sequence[str] | str | None, watch: StreamWatch
) -> RemoteFolder:
    header = ask_agent(link, "file_list", wanted, watch, root=root, max_reply_bytes=MAX_LIST_BYTES)
    try:
        entries = parse_entries(b"".join(header["buffers"]))
    except BadStream as error:
        raise _make_refusal(link, str(error)) from None
    path, kind, free = header.get("path", ""), header.get("kind", ""), header.get("free_bytes", 0)
    if kind not in ("dir", "file", "none") or not path.startswith("/"):
        raise _make_refusal(link, "a folder that is none")
    if kind == "file" and [entry.kind for entry in entries] not in (["file"], ["other"]):
        raise _make_refusal(link, "other files than the one that was asked for")
    names = header.get("names")
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    has_home = header.get("has_home", False)
    return RemoteFolder(path, kind, free, has_home, {entry.path: entry for entry in entries}, tuple(texts))


def hash_remote(
    link: PodLink, root: str, files: Sequence[tuple[str, int]]
) -> Callable[[StreamWatch], list[str]]:
    """Ask for the hash of the beginning of each file, given with its size; return what waits for them.

    A file that cannot be read has an empty one.
    """
    future = request_of(link, "file_hash", files, root=root, max_reply_bytes=(_HASH_CHARS + 1) * len(files))

    def take_answer(watch: StreamWatch) -> list[str]:
        data = b"".join(await_reply(link, future, watch)["buffers"])
        hashes = data.decode("utf-8", "replace").split("\n")
        if len(hashes) != len(files):
            raise _make_refusal(link, "other hashes than were asked for")
        return hashes

    return take_answer


def claim_remote(link: PodLink, root: str, folder: str, watch: StreamWatch, *, force: bool = False) -> bool:
    """Note there that a local folder is sent to one of the pod; return False if it is another one's.

    A folder that is not there, or was not noted yet, is anyone's.
    """
    owner = hashlib.sha256(os.fsencode(folder)).hexdigest()
    header = ask_agent(link, "file_claim", [owner, force], watch, root=root)
    return bool(header.get("text") == owner)


def remove_remote(link: PodLink, root: str, entries: Sequence[Entry], watch: StreamWatch) -> dict[str, Any]:
    """Remove files that have not changed since, and empty folders; return by path why one was not."""
    files = [(entry.path, entry.mtime_ns) for entry in entries]
    failures: dict[str, Any] = ask_agent(link, "file_remove", files, watch, root=root).get("failures", {})
    return failures


def _make_refusal(link: PodLink, what: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"'{link.name}' answered with {what}. Nothing was written. The pod is still billed"
    )
