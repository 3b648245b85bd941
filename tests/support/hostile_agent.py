"""A program that answers as no agent would: `hostile_agent.py FILE`, where the file names what it does.

It runs as what an SSH server starts, and imports nothing of the project.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import time
from typing import Any

JOB = {"job": "abc123"}
# Each is sent to a client that follows a job, and that never shows anything.
WRONG_FRAMES: dict[str, Any] = {
    "no type": {**JOB, "n": 0},
    "type": {**JOB, "n": 0, "type": ["stream"]},
    "list": [1, 2],
    "job": {"type": "stream", "job": ["abc123"], "n": 0},
    "number": {**JOB, "type": "started", "n": "0"},
    "no number": {**JOB, "type": "started"},
    "fraction": {**JOB, "type": "started", "n": 0.5},
    "truth": {**JOB, "type": "started", "n": False},
    "huge number": {**JOB, "type": "gap", "n": 0, "dropped": 10**400},
    "negative": {**JOB, "type": "gap", "n": 0, "dropped": -5},
    "later number": {**JOB, "type": "started", "n": 5},
    "content": {**JOB, "type": "stream", "n": 0, "content": "text"},
    "no text": {**JOB, "type": "stream", "n": 0, "content": {"name": "stdout"}},
    "text": {**JOB, "type": "stream", "n": 0, "content": {"name": "stdout", "text": 7}},
    "data": {**JOB, "type": "display_data", "n": 0, "content": {"data": [1], "metadata": {}}},
    "reply id": {"type": "reply", "id": {"a": 1}},
    "no reply id": {"type": "reply"},
    "jobs": {"type": "reply", "id": "x", "jobs": [1]},
    "sizes": {**JOB, "type": "started", "n": 0, "sizes": [-1]},
    "many bytes": {**JOB, "type": "started", "n": 0, "sizes": [1 << 40]},
    "traceback": {**JOB, "type": "error", "n": 0, "content": {"ename": "E", "evalue": "", "traceback": 3}},
    "lines": {**JOB, "type": "execute_reply", "n": 0, "content": {"status": "error", "traceback": [5]}},
    "evalue": {**JOB, "type": "execute_reply", "n": 0, "content": {"status": "error", "evalue": ["v"]}},
    "queued behind nothing": {**JOB, "type": "queued", "n": 0},
    "wanted input": {**JOB, "type": "input_wanted"},
    "wanted input later": {**JOB, "type": "input_wanted", "n": 1 << 52},
    "dropped": {**JOB, "type": "stream", "n": 0, "dropped": 9, "content": {"name": "stdout", "text": ""}},
    "no state": {**JOB, "type": "done", "n": 0},
    "state": {**JOB, "type": "done", "n": 0, "state": ["ok"]},
    "reply content": {"type": "reply", "id": "x", "content": [1]},
}


# What a call for values is answered with.
WRONG_ANSWERS: dict[str, Any] = {
    "nothing": None,
    "list": [1],
    "no path": {"kept": []},
    "path": {"path": ["x"], "size": 5},
    "size": {"path": "/x/y", "size": -1},
    "huge size": {"path": "/x/y", "size": 1 << 60},
    "fraction": {"path": "/x/y", "size": 0.5},
    "kept": {"kept": 7},
    "kept of another name": {"kept": [{"name": "other", "type": "x"}]},
    "odd text": {"kept": [{"name": "x", "type": 7, "text": ["a"], "shape": [1, "b"], "size_bytes": -5}]},
    "markup": {"kept": [{"name": "x", "type": "a.<b>", "text": "\x1b[31m<script>" * 9}], "notes": 5},
}


def pack(header: Any) -> bytes:
    data = json.dumps(header).encode()
    return struct.pack(">I", len(data)) + data


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def read_header() -> dict[str, Any]:
    size = struct.unpack(">I", sys.stdin.buffer.read(4))[0]
    header: dict[str, Any] = json.loads(sys.stdin.buffer.read(size))
    sys.stdin.buffer.read(sum(header["sizes"]))
    return header


def await_op(*ops: str) -> dict[str, Any]:
    while True:
        header = read_header()
        if header["op"] in ops:
            return header
        if header["op"] == "ping":
            write(pack({"type": "pong"}))


def await_follow() -> None:
    """Wait for the question for a job, and say that what comes is its answer."""
    write(pack({"type": "to", "to": await_op("follow")["to"]}))


def serve(mode: str, cookie: bytes) -> None:
    if mode == "garbage":
        write(os.urandom(100_000))
        return
    if mode == "endless banner":
        while True:
            write(b"Welcome to this machine!\n" * 1000)
    if mode == "endless line":
        while True:
            write(b"x" * 65536)
    if mode == "silent":
        time.sleep(600)
    if mode == "odd word":
        write(b"\n" + cookie + b" \x1b[31m<b>nonsense\n")
        return
    if mode == "stderr":
        with contextlib.suppress(OSError):
            os.write(2, b"e" * 4_000_000)
    write(b"\n" + cookie + b" ready 3.11\n")
    if mode == "closes":
        return
    if mode == "huge header":
        write(b"\xff\xff\xff\xff")
    elif mode == "deep header":
        write(struct.pack(">I", 4_000_000) + b"[" * 4_000_000)
    elif mode == "bytes":
        write(os.urandom(3) * 1000)
    elif mode == "announced":
        write(struct.pack(">I", 31 << 20) + b"{")
        time.sleep(600)
    elif mode in ("strangers", "stderr"):
        header = await_op("jobs")
        write(pack({"type": "reply", "id": "strange"}))
        write(pack({"type": "stream", "job": "other", "n": 3, "content": {"name": "stdout", "text": "no"}}))
        write(pack({"type": "news", "anything": [1]}))
        write(pack({"type": "reply", "id": header["id"], "jobs": []}))
        time.sleep(600)
    elif mode in ("flood", "small flood"):
        await_follow()
        for number in range(100_000):
            text = {"name": "stdout", "text": "x" * (100_000 if mode == "flood" else 1)}
            write(pack({**JOB, "type": "stream", "n": number, "content": text}))
    elif mode == "bomb":
        await_follow()
        data = b"[" + b"[]," * 10_000_000 + b"[]]"
        write(struct.pack(">I", len(data)) + data)
        time.sleep(600)
    elif mode.startswith("answer "):
        answer = WRONG_ANSWERS[mode[len("answer ") :]]
        job = await_op("run")["id"]
        write(pack({"type": "to", "to": await_op("follow")["to"]}))
        data = {"status": "ok", "data": {"text/plain": json.dumps(answer)}}
        content = {"status": "ok", "user_expressions": {"answer": data}}
        write(pack({"job": job, "type": "execute_reply", "n": 0, "content": content}))
        write(pack({"job": job, "type": "done", "n": 1, "state": "ok"}))
        time.sleep(600)
    elif mode == "surrogates":
        await_follow()
        write(pack({**JOB, "type": "stream", "n": 0, "content": {"name": "stdout", "text": "a\ud800b\n"}}))
        reply = {"status": "error", "ename": "E\ud800", "evalue": "v", "traceback": ["\udc00"]}
        write(pack({**JOB, "type": "execute_reply", "n": 1, "content": reply}))
        write(pack({**JOB, "type": "done", "n": 2, "state": "error"}))
        time.sleep(600)
    elif mode == "odd end":
        await_follow()
        write(pack({**JOB, "type": "execute_reply", "n": 0, "content": {"status": "e", "payload": 7}}))
        write(
            pack(
                {**JOB, "type": "done", "n": 1, "state": "error", "seconds": 10**300, "idle_s": float("nan")}
            )
        )
        time.sleep(600)
    else:
        await_follow()
        write(pack(WRONG_FRAMES[mode]))
        time.sleep(600)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        chosen = file.read()
    with contextlib.suppress(OSError, struct.error):
        serve(chosen, sys.stdin.buffer.readline().rpartition(b"#")[2].strip())
