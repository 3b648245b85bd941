"""A pod that lies about its files: run in place of every command of a login; the mode is in a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, __file__.rpartition("/")[0])

from hostile_agent import write

CONTENT = b"content"
GOOD: dict[str, Any] = {
    "path": "good",
    "kind": "file",
    "size": len(CONTENT),
    "mtime_ns": 1,
    "mode": 0o644,
    "link": "",
}


def entry(
    path: str, kind: str = "file", link: str = "", size: int = len(CONTENT), mode: int = 0o644
) -> tuple[str, str, str]:
    return f"{kind} {size} 1 {mode}", path, link


LISTS: dict[str, list[tuple[str, str, str]]] = {
    "paths": [
        *(entry(path) for path in ("../evil", "/tmp/evil", "in/../../evil", "in//evil", "./evil", "", "..")),
        entry("nul\udcff"),
    ],
    "links": [
        entry("a", "link", "/etc"),
        entry("b", "link", "../.."),
        entry("in", "dir"),
        entry("in/c", "link", "../../x"),
        entry("d", "link", "in/../../x"),
        entry("e", "link", "in"),
        entry("e/evil"),
    ],
    "levels": [entry("a/" * 2000 + "b"), entry("x" * 5000)],
    "negative size": [entry("a", size=-5)],
    "setuid": [entry("a", mode=0o4755)],
    "kind": [entry("a", "socket")],
    "huge": [entry("a", size=1 << 70)],
    "not text": [("file x 1 1", "a", "")],
    "one file": [entry("in/numpy.py")],
    "one link": [entry("numpy.py", "link", "x")],
    "one folder": [entry(".git", "dir")],
    "two": [entry("a"), entry("b")],
}  # fmt: skip
RAW_LISTS: dict[str, bytes] = {
    "early end": b"file 1 1 1\0a",
    "many": b"\0" * 7_000_000,
    "long number": b"file " + b"9" * 1_000_000 + b" 1 1\0a\0",
}


def piece(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">cI", kind, len(data)) + data


def facts(kind: bytes, /, **values: Any) -> bytes:
    return piece(kind, json.dumps(values).encode())


def whole(begin: dict[str, Any], content: bytes = CONTENT) -> bytes:
    data = piece(b"D", content) if content else b""
    return facts(b"B", **begin) + data + facts(b"E", sha256=hashlib.sha256(content).hexdigest())


def streams(asked: list[dict[str, Any]]) -> dict[str, bytes]:
    """What is sent instead of the one file that was asked for."""
    good = asked[0]
    return {
        "another name": whole({**good, "path": "evil"}),
        "a name outside": whole({**good, "path": "../evil"}),
        "a link": whole({**good, "kind": "link", "link": "/etc/passwd"}, b""),
        "another size": whole({**good, "size": 1 << 40}),
        "more content": whole(good, CONTENT + b"!"),
        "more zeros": facts(b"B", **good) + struct.pack(">cI", b"Z", 200_000),
        "twice": whole(good) + whole(good),
        "another start": whole({**good, "start": 3}, b""),
        "another time": whole({**good, "seen": 5}),
        "other types": whole({**good, "mode": "x", "path": ["good"]}),
        "no object": piece(b"B", b"[1]"),
        "deep": piece(b"B", b"[" * 60_000),
        "unknown piece": piece(b"X", b"1"),
        "huge piece": struct.pack(">cI", b"D", 1 << 31),
        "huge facts": struct.pack(">cI", b"B", 1 << 31),
        "empty piece": struct.pack(">cI", b"D", 0),
        "content of nothing": piece(b"D", CONTENT),
        "begun twice": facts(b"B", **good) + facts(b"B", **good),
        "early end": facts(b"B", **good) + piece(b"D", CONTENT[:3]),
        "garbage": bytes(range(256)) * 10,
        "wrong hash": facts(b"B", **good) + piece(b"D", b"CONTENT") + facts(b"E", sha256="0" * 64),
        "no hash": facts(b"B", **good) + piece(b"D", CONTENT) + facts(b"E"),
        "too short": whole(good, CONTENT[:3]),
        "nothing": b"",
    }


STREAMS = list(streams([GOOD]))
HEADERS: dict[str, dict[str, Any]] = {
    "problem": {"problem": 5},
    "failures": {"failures": [1]},
    "path": {"path": 7},
    "free": {"free_bytes": "all"},
    "end": {"is_end": 1},
}


def answers(mode_path: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each request with the header and the buffer of its answer."""
    asked: list[dict[str, Any]] = [GOOD]
    while True:
        header, content = read_request()
        with open(mode_path, encoding="utf-8") as file:
            mode = file.read()
        family, _, name = mode.partition(": ")
        listing = "\0".join(part for each in LISTS.get(name, [entry("good")]) for part in each)
        data = RAW_LISTS[name] if family == "raw list" else listing.encode("utf-8", "surrogateescape")
        reply: dict[str, Any] = {"type": "reply", "id": header["id"]}
        buffer = b""
        if header["op"] == "file_list":
            reply |= {"path": "/there", "kind": "dir", "free_bytes": 1 << 50, **HEADERS.get(name, {})}
            buffer = data
            if mode == "look up" or (family == "match" and content == b"null"):
                reply["kind"], buffer = "none", b""
            elif family == "one":
                reply["kind"] = "file"
            elif mode == "match: nothing":
                reply["names"], buffer = [5, "\x1b[2J<b>"], b""
        elif header["op"] == "file_download":
            asked = json.loads(content)
        elif header["op"] == "file_hash":
            buffer = b"0\n0\n0"
        elif header["op"] == "file_read":
            good = b"".join(map(whole, asked)) if family != "stream" else streams(asked)[name]
            reply["is_end"] = header["number"] > 0 or not good
            buffer = b"" if reply["is_end"] else good
            if mode == "endless":
                reply["is_end"], buffer = False, b""
            if mode == "large":
                buffer = bytes(5_000_000)
        elif header["op"] == "file_finish":
            reply["failures"] = {"good": "\x1b[31m<b>" + "x" * 1000, "\x1b[2Jother": 5}
        yield reply, buffer


def read_request() -> tuple[dict[str, Any], bytes]:
    while True:
        size = struct.unpack(">I", sys.stdin.buffer.read(4))[0]
        header = json.loads(sys.stdin.buffer.read(size))
        content = sys.stdin.buffer.read(sum(header["sizes"]))
        if header["op"] != "ping":
            return header, content
        write_frame({"type": "pong"})


def write_frame(header: dict[str, Any], buffer: bytes = b"") -> None:
    data = json.dumps({**header, "sizes": [len(buffer)]}).encode()
    write(struct.pack(">I", len(data)) + data + buffer)


if __name__ == "__main__":
    with contextlib.suppress(OSError, struct.error):
        write(b"\n" + sys.stdin.buffer.readline().rpartition(b"#")[2].strip() + b" ready 3.11\n")
        for each in answers(sys.argv[1]):
            write_frame(*each)
