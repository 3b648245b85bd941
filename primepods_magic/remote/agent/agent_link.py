"""A kernel host's connection to the agent, which loses nothing if the agent is killed."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from .bridge import connect_agent, find_agent
from .frames import BadFrame, Frame, Header, pack_frame, read_frame

__all__ = ["AgentLink"]

_MAX_UNACKNOWLEDGED_BYTES = 8 << 20
_RETRY_S = 0.1
_START_AGENT_S = 2.0


class AgentLink:
    """A connection that numbers frames, and resends those that an agent did not acknowledge before it ended.

    Parameters
    ----------
    hello : dict
        The first frame for the agent.
    on_frame : callable
        Called in a thread of its own with each frame of the agent.
    """

    def __init__(self, hello: Header, on_frame: Callable[[Frame], object]) -> None:
        self.last_request = ""
        """Id of the last cell that was sent to the kernel."""
        self._hello = {**hello, "op": "kernel", "kernel": secrets.token_hex(8)}
        self._on_frame = on_frame
        self._socket: socket.socket | None = None
        self._number = 0
        self._unacknowledged: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._is_ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._keep_up, daemon=True).start()

    def send(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Send a frame; wait while the agent is far behind."""
        with self._changed:
            self._changed.wait_for(lambda: self._size < _MAX_UNACKNOWLEDGED_BYTES or self._is_ended)
            self._number += 1
            data = pack_frame({**header, "number": self._number}, buffers)
            self._unacknowledged.append((self._number, data))
            self._size += len(data)
            if self._socket is not None:
                # If this fails, it is sent again over the next connection.
                with contextlib.suppress(OSError):
                    self._socket.sendall(data)

    def flush(self, timeout_s: float) -> None:
        """Wait until the agent has acknowledged everything."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unacknowledged or self._is_ended, timeout_s)

    def _keep_up(self) -> None:
        while True:
            with self._open_connection() as connection, connection.makefile("rb") as stream:
                try:
                    while True:
                        self._handle_frame(connection, read_frame(stream))
                except (EOFError, OSError, BadFrame):
                    with self._changed:
                        self._socket = None
            time.sleep(_RETRY_S)

    def _open_connection(self) -> socket.socket:
        """Return a connection to the agent; restart it after a while if it was killed."""
        began = time.monotonic()
        while True:
            with contextlib.suppress(OSError, RuntimeError):
                may_start = time.monotonic() - began > _START_AGENT_S
                connection = find_agent() if may_start else connect_agent()
                connection.sendall(pack_frame({**self._hello, "last": self.last_request}))
                return connection
            time.sleep(_RETRY_S)

    def _handle_frame(self, connection: socket.socket, frame: Frame) -> None:
        header = frame[0]
        if header["op"] == "ack":
            self._note_acknowledged(connection, header["number"])
            return
        if header["op"] == "end":
            with self._changed:
                self._is_ended = True
                self._changed.notify_all()
        self._on_frame(frame)

    def _note_acknowledged(self, connection: socket.socket, number: int) -> None:
        with self._changed:
            while self._unacknowledged and self._unacknowledged[0][0] <= number:
                self._size -= len(self._unacknowledged.popleft()[1])
            if self._socket is None:
                # The first acknowledgment on a connection says where to resume.
                for _, data in self._unacknowledged:
                    connection.sendall(data)
                self._socket = connection
            self._changed.notify_all()
