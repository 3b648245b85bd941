"""The program that an SSH connection runs on the pod: it relays bytes to and from the agent's socket."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from .folders import SOCKET, agent_folder, read_last_line
from .pipes import PIPE_BYTES, enlarge_pipe, enlarge_socket

__all__ = ["connect_agent", "find_agent", "run_bridge"]

_START_S = 15.0
_LINGER_S = 5.0


def run_bridge(say: Callable[[str], None]) -> None:
    """Connect to the agent, starting it if necessary, report that, and relay bytes until a side ends."""
    folder = agent_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    # A relative name: the path of a socket may have no more than 107 bytes.
    os.chdir(folder)
    agent = find_agent()
    say("ready {}.{}.{}".format(*sys.version_info[:3]))
    for pipe in (0, 1):
        enlarge_pipe(pipe)
    threading.Thread(target=_carry_up, args=(agent,), daemon=True).start()
    # From here on, stdout has frames and nothing else. An agent that was killed may reset the connection.
    buffer, is_cut = memoryview(bytearray(PIPE_BYTES)), False
    with contextlib.suppress(OSError):
        while size := agent.recv_into(buffer):
            try:
                if not is_cut:
                    _write_all(1, buffer[:size])
            except OSError:
                # What the client had sent before is still on its way to the agent.
                is_cut = True
                _end_later()


def find_agent() -> socket.socket:
    """Return a connection to the agent of the working folder, starting it if it is not running."""
    with contextlib.suppress(OSError):
        return connect_agent()
    # Two connections at once must not start two agents.
    with open("lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            return connect_agent()
        with open("agent.log", "ab") as log:
            agent = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, os.path.abspath("agent.pyz"), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        give_up = time.monotonic() + _START_S
        while True:
            try:
                return connect_agent()
            except OSError:
                has_ended = agent.poll() is not None
                if has_ended or time.monotonic() > give_up:
                    why = read_last_line("agent.log") if has_ended else "it does not answer"
                    raise RuntimeError(f"the agent does not start: {why}") from None
            time.sleep(0.01)


def connect_agent() -> socket.socket:
    """Return a connection to the agent; raise OSError if it is not running."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(SOCKET)
    except OSError:
        connection.close()
        raise
    enlarge_socket(connection)
    return connection


def _carry_up(agent: socket.socket) -> None:
    buffer = memoryview(bytearray(PIPE_BYTES))
    try:
        while True:
            size = os.readv(0, [buffer])
            if not size:
                break
            agent.sendall(buffer[:size])
    finally:
        # The connection has ended. The agent reads the rest, and then ends this one.
        with contextlib.suppress(OSError):
            agent.shutdown(socket.SHUT_WR)
        _end_later()


def _end_later() -> None:
    """End the process in a while, whatever may keep it alive."""
    timer = threading.Timer(_LINGER_S, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]
