"""What an SSH connection runs on the pod: it carries bytes between the connection and the agent's socket."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from .folders import SOCKET, agent_folder

__all__ = ["run_bridge"]

_CHUNK_BYTES = 65_536
_START_S = 15.0


def run_bridge(say: Callable[[str], None]) -> None:
    """Connect to the agent, started if it is not there, say so, and carry bytes until a side ends."""
    folder = agent_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    # A relative name: the path of a socket may have no more than 107 bytes.
    os.chdir(folder)
    agent = _find_agent()
    say("ready {}.{}.{}".format(*sys.version_info[:3]))
    threading.Thread(target=_carry_up, args=(agent,), daemon=True).start()
    while True:
        data = agent.recv(_CHUNK_BYTES)
        if not data:
            return
        _write_all(1, data)


def _find_agent() -> socket.socket:
    try:
        return _connect()
    except OSError:
        pass
    # Two connections at once must not start two agents.
    with open("lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _connect()
        except OSError:
            pass
        with open("agent.log", "ab") as log:
            subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, os.path.abspath("agent.pyz"), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        give_up = time.monotonic() + _START_S
        while True:
            try:
                return _connect()
            except OSError:
                if time.monotonic() > give_up:
                    raise
            time.sleep(0.01)


def _connect() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(SOCKET)
    except OSError:
        connection.close()
        raise
    return connection


def _carry_up(agent: socket.socket) -> None:
    try:
        while True:
            data = os.read(0, _CHUNK_BYTES)
            if not data:
                break
            agent.sendall(data)
    finally:
        # The connection is over; nothing may keep the process.
        os._exit(0)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
