"""Runs in a Python that has ipykernel: starts a kernel, and carries its messages to the agent and back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from typing import Any

from .folders import SOCKET, root_folder
from .frames import Frame, Header, pack_frame, read_frame

__all__ = ["run_kernel"]

_MAX_TEXT_CHARS = 65_536
_POLL_MS = 500
_START_S = 60.0
_MAX_SOCKET_PATH = 90
_CHANNELS = ("shell", "control", "stdin", "iopub")


def run_kernel(session: str) -> None:
    """Run one kernel until it or the session ends."""
    os.environ.setdefault("IPYTHONDIR", os.path.join(root_folder(), "ipython"))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    folder = _make_socket_folder()
    try:
        _KernelHost(session, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_socket_folder() -> str:
    """Make a folder for the kernel's sockets, whose paths must be short."""
    folder = tempfile.mkdtemp(prefix="k-", dir=root_folder())
    if len(folder) > _MAX_SOCKET_PATH:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="primepods-")
    return folder


class _KernelHost:
    def __init__(self, session: str, folder: str) -> None:
        import zmq
        from jupyter_client.manager import KernelManager

        self._session_name = session
        # No limit: a queue that is full drops messages.
        context = zmq.Context()
        context.setsockopt(zmq.RCVHWM, 0)
        context.setsockopt(zmq.SNDHWM, 0)
        context.setsockopt(zmq.LINGER, 1000)
        self._context = context
        self._manager = KernelManager(
            context=context, transport="ipc", connection_file=os.path.join(folder, "kernel.json")
        )
        # This Python, whatever kernel specs the image has.
        spec: Any = self._manager.kernel_spec
        spec.argv[:] = [
            sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}",
        ]  # fmt: skip
        self._manager.start_kernel(cwd=os.path.expanduser("~"), stdin=None)
        self._session = self._manager.session
        # Questions come to the socket that has the name of the one that the request came from.
        name_there = self._session.bsession
        self._sockets = {
            name: getattr(self._manager, f"connect_{name}")(identity=name_there) for name in _CHANNELS
        }
        self._names = {socket: name for name, socket in self._sockets.items()}
        self._agent: socket.socket | None = None
        self._inbox = context.socket(zmq.PULL)
        self._inbox.bind("inproc://inbox")
        self._text: Header | None = None
        self._text_size = 0
        self._is_ending = False

    def run(self) -> None:
        import zmq

        self._await_kernel()
        threading.Thread(target=self._read_agent, daemon=True).start()
        poller = zmq.Poller()
        for each in (*self._sockets.values(), self._inbox):
            poller.register(each, zmq.POLLIN)
        while not self._is_ending:
            ready = poller.poll(0 if self._text else _POLL_MS)
            if not ready:
                self._flush_text()
            for each, _ in ready:
                if each is self._inbox:
                    self._handle_agent(each.recv_pyobj())
                else:
                    self._handle_kernel(self._names[each], each.recv_multipart())
            if not ready and not self._manager.is_alive():
                self._send({"op": "dead", "session": self._session_name})
                return
        self._manager.shutdown_kernel(now=True)

    def _await_kernel(self) -> None:
        """Wait until the kernel answers, and its output arrives: the first one would be lost otherwise."""
        give_up = time.monotonic() + _START_S
        while True:
            self._session.send(self._sockets["shell"], "kernel_info_request")
            if self._sockets["iopub"].poll(100):
                break
            if time.monotonic() > give_up or not self._manager.is_alive():
                raise SystemExit("the kernel does not start")
        self._sockets["shell"].poll(5000)
        self._drain()

    def _drain(self) -> None:
        idle_polls = 0
        while idle_polls < 2:
            idle_polls += 1
            for name in ("shell", "iopub"):
                while self._sockets[name].poll(2):
                    self._sockets[name].recv_multipart()
                    idle_polls = 0

    # From the agent

    def _read_agent(self) -> None:
        import zmq

        inbox = self._context.socket(zmq.PUSH)
        inbox.connect("inproc://inbox")
        while True:
            connection = self._dial()
            stream = connection.makefile("rb")
            try:
                while True:
                    inbox.send_pyobj(read_frame(stream))
            except (EOFError, OSError, ValueError):
                # The agent ended; the next one finds the kernel as it is.
                self._agent = None
                connection.close()

    def _dial(self) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(SOCKET)
                provisioner: Any = self._manager.provisioner
                hello = {"op": "kernel", "session": self._session_name, "pid": provisioner.pid}
                connection.sendall(pack_frame(hello))
                self._agent = connection
                return connection
            except OSError:
                connection.close()
                time.sleep(0.1)

    def _handle_agent(self, frame: Frame) -> None:
        header, buffers = frame
        op = header["op"]
        if op == "interrupt":
            self._manager.interrupt_kernel()
        elif op == "end":
            self._is_ending = True
        else:
            message = {
                "header": {**self._session.msg_header(header["type"]), "msg_id": header["msg_id"]},
                "parent_header": {},
                "metadata": header.get("metadata", {}),
                "content": header["content"],
            }
            self._session.send(self._sockets[header["channel"]], message, buffers=buffers)

    # To the agent

    def _handle_kernel(self, channel: str, parts: list[bytes]) -> None:
        _, parts = self._session.feed_identities(parts)
        message = self._session.deserialize(parts)
        kind = message["header"]["msg_type"]
        header: Header = {
            "op": "message",
            "channel": channel,
            "type": kind,
            "parent": message["parent_header"].get("msg_id"),
            "content": message["content"],
        }
        if message["metadata"] and channel == "iopub":
            header["metadata"] = _to_json(message["metadata"])
        if kind == "stream":
            self._add_text(header)
            return
        header["content"] = _to_json(header["content"])
        self._flush_text()
        self._send(header, [bytes(each) for each in message["buffers"]])

    def _add_text(self, header: Header) -> None:
        """Join text that arrives together; cut what is too long for one message."""
        held = self._text
        text = header["content"]["text"]
        if (
            held
            and held["parent"] == header["parent"]
            and held["content"]["name"] == header["content"]["name"]
            and len(held["content"]["text"]) + len(text) <= _MAX_TEXT_CHARS
        ):
            held["content"]["text"] += text
            return
        self._flush_text()
        for begin in range(0, len(text), _MAX_TEXT_CHARS):
            self._flush_text()
            piece = {**header["content"], "text": text[begin : begin + _MAX_TEXT_CHARS]}
            self._text = {**header, "content": piece}

    def _flush_text(self) -> None:
        if self._text:
            text, self._text = self._text, None
            self._send(text)

    def _send(self, header: Header, buffers: Any = ()) -> None:
        data = pack_frame(header, buffers)
        while True:
            agent = self._agent
            if agent is not None:
                try:
                    agent.sendall(data)
                    return
                except OSError:
                    self._agent = None
            time.sleep(0.02)


def _to_json(content: dict[str, Any]) -> dict[str, Any]:
    from jupyter_client.session import json_packer

    return dict(json.loads(json_packer(content)))
