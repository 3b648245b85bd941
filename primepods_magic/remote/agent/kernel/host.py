"""The host of a kernel: it runs in a Python with ipykernel, and relays messages to and from the agent."""

from __future__ import annotations

import json
import os
import time
import traceback
from typing import Any

from ..agent_link import AgentLink
from ..folders import agent_folder, hold_kernel_lock, root_folder
from ..frames import MAX_BUFFERS_BYTES, MAX_OUTPUT_BYTES, Frame, Header
from .deaths import OomCounter
from .new_files import find_new_files
from .process import KernelProcess

__all__ = ["run_kernel"]

_MAX_TEXT_CHARS = 65_536
_MAX_REPLY_BYTES = 4 << 20
_POLL_MS = 500
_START_S = 60.0
_FLUSH_S = 30.0
_REPLY_S = 2.0
_BEGIN_S = 0.05
_LOOK_INTERVAL_S = 0.005


def run_kernel(session: str) -> None:
    """Run one kernel until it or the session ends."""
    os.environ.setdefault("IPYTHONDIR", os.path.join(root_folder(), "ipython"))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    with hold_kernel_lock(os.path.join(agent_folder(), "sessions", session)) as folder:
        _KernelHost(session, folder).run()


class _KernelHost:
    def __init__(self, session: str, folder: str) -> None:
        self._kernel = KernelProcess(folder)
        import zmq
        from jupyter_client.session import Session

        self._session_name = session
        context = zmq.Context()
        context.setsockopt(zmq.LINGER, 1000)
        self._context = context
        self._session: Any = Session(key=self._kernel.key.encode())
        self._await_sockets()
        # Input requests go to the socket with the same identity as the one that sent the execute request.
        self._sockets = self._kernel.connect(context, self._session.bsession)
        self._names: dict[Any, str] = {socket: name for name, socket in self._sockets.items()}
        self._inbox = context.socket(zmq.PULL)
        self._outbox = context.socket(zmq.PUSH)
        # No limit: the thread that fills it also frees those who wait for the agent.
        self._inbox.rcvhwm = self._outbox.sndhwm = 0
        self._inbox.bind("inproc://inbox")
        self._outbox.connect("inproc://inbox")
        self._text: Header | None = None
        self._reply: Header | None = None
        self._idle_since: float | None = None
        self._began_at = 0.0
        self._is_begun = True
        self._is_silent = False
        self._wants_interrupt = False
        self._is_ending = False
        self._deaths = OomCounter()

    def run(self) -> None:
        import zmq

        self._await_kernel()
        hello = {"session": self._session_name, "pid": self._kernel.process.pid}
        self._agent = AgentLink(hello, self._outbox.send_pyobj)
        poller = zmq.Poller()
        for each in (*self._sockets.values(), self._inbox):
            poller.register(each, zmq.POLLIN)
        while not self._is_ending:
            ready = poller.poll(0 if self._text else _POLL_MS)
            if not ready:
                self._flush_text()
                self._send_reply()
            for each, _ in ready:
                self._handle_ready(each)
            if not ready and not self._kernel.is_alive:
                self._agent.send({"op": "dead", "death": self._deaths.describe(self._kernel.process)})
                self._agent.flush(_FLUSH_S)
                break
        self._kernel.kill()

    def _handle_ready(self, ready: Any) -> None:
        """Pass a message on; one that cannot be passed on must not end the kernel."""
        try:
            if ready is self._inbox:
                self._handle_agent(ready.recv_pyobj())
            else:
                self._handle_kernel(self._names[ready], ready.recv_multipart())
        except Exception:  # noqa: BLE001 - the log is where people look
            traceback.print_exc()

    def _await_sockets(self) -> None:
        """Wait until the kernel listens: if we connect earlier, it may lose the first request."""
        give_up = time.monotonic() + _START_S
        while not self._kernel.is_listening():
            self._check_start(give_up)
            time.sleep(_LOOK_INTERVAL_S)

    def _check_start(self, give_up: float) -> None:
        if time.monotonic() > give_up or not self._kernel.is_alive:
            raise SystemExit("the kernel does not start")

    def _await_kernel(self) -> None:
        """Wait until the kernel answers and its output arrives; otherwise, its first output would be lost."""
        give_up = time.monotonic() + _START_S
        while True:
            self._session.send(self._sockets["shell"], "kernel_info_request")
            if self._sockets["iopub"].poll(100):
                break
            self._check_start(give_up)
        self._sockets["shell"].poll(5000)
        # The kernel's own files are private; files that cells create have the permissions of any login.
        code = f"__import__('os').umask({os.environ.get('POD_LOGIN_UMASK', '0o22')})"
        content = {"code": code, "silent": True, "store_history": False, "allow_stdin": False}
        self._session.send(self._sockets["shell"], "execute_request", content)
        self._sockets["shell"].poll(5000)
        self._drain_sockets()

    def _drain_sockets(self) -> None:
        idle_polls = 0
        while idle_polls < 2:
            idle_polls += 1
            for name in ("shell", "iopub"):
                while self._sockets[name].poll(2):
                    self._sockets[name].recv_multipart()
                    idle_polls = 0

    # From the agent

    def _handle_agent(self, frame: Frame) -> None:
        header, buffers = frame
        op = header["op"]
        if op == "interrupt":
            self._wants_interrupt = True
            self._interrupt_begun()
        elif op == "end":
            self._is_ending = True
        else:
            message = {
                "header": {**self._session.msg_header(header["type"]), "msg_id": header["msg_id"]},
                "parent_header": {},
                "metadata": header.get("metadata", {}),
                "content": header["content"],
            }
            if header["type"] == "execute_request":
                self._agent.last_request = header["msg_id"]
                self._reply = self._idle_since = None
                self._is_begun = self._wants_interrupt = False
                self._is_silent = bool(header["content"].get("silent"))
                self._began_at = time.time()
            self._session.send(self._sockets[header["channel"]], message, buffers=buffers)

    def _note_begun(self) -> None:
        self._is_begun = True
        self._interrupt_begun()

    def _interrupt_begun(self) -> None:
        """Interrupt a cell that the kernel has started: before that, it ignores the signal."""
        if self._wants_interrupt and self._is_begun:
            self._wants_interrupt = False
            # The kernel reports the start of a cell shortly before it starts it.
            time.sleep(_BEGIN_S)
            self._kernel.interrupt()

    # To the agent

    def _handle_kernel(self, channel: str, parts: list[bytes]) -> None:
        _, parts = self._session.feed_identities(parts)
        message = self._session.deserialize(parts)
        kind = message["header"]["msg_type"]
        header: Header = {
            "op": "message",
            "type": kind,
            "parent": message["parent_header"].get("msg_id"),
            "content": message["content"],
        }
        if message["metadata"] and channel == "iopub":
            header["metadata"] = _to_json(message["metadata"])
        if kind == "stream":
            self._add_text(header)
            return
        self._flush_text()
        if kind == "status":
            state = message["content"].get("execution_state")
            if state == "idle" and header["parent"] == self._agent.last_request:
                self._idle_since = time.monotonic()
            elif state == "busy" and header["parent"] == self._agent.last_request and self._is_silent:
                # It does not say again that it begins.
                self._note_begun()
        elif kind == "execute_input":
            if header["parent"] == self._agent.last_request:
                self._note_begun()
            self._agent.send({**header, "content": {"execution_count": header["content"]["execution_count"]}})
        elif kind == "execute_reply":
            content = _to_json(header["content"])
            is_long = sum(map(len, parts)) > _MAX_REPLY_BYTES
            self._reply = {**header, "content": _shorten_reply(content) if is_long else content}
        else:
            size, buffers = sum(map(len, parts)), [bytes(each) for each in message["buffers"]]
            if size > MAX_OUTPUT_BYTES + sum(map(len, buffers)) or size > MAX_BUFFERS_BYTES:
                self._send_refusal(header, size)
            else:
                self._agent.send({**header, "content": _to_json(header["content"])}, buffers)
        self._send_reply()

    def _send_reply(self) -> None:
        """Send the reply of a cell after its output, which arrives separately and ends with a status."""
        if self._idle_since is None:
            return
        if self._reply is None and time.monotonic() - self._idle_since > _REPLY_S:
            # An interrupt can end the kernel's own code instead of the cell's.
            content = {"status": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}
            parent = self._agent.last_request
            self._reply = {"op": "message", "type": "execute_reply", "parent": parent, "content": content}
        if self._reply is not None:
            if not self._is_silent:
                self._reply["new_files"] = find_new_files(self._kernel.process.pid, self._began_at)
            self._agent.send(self._reply)
            self._reply = self._idle_since = None

    def _send_refusal(self, header: Header, size: int) -> None:
        """Report that a message is too large for a frame."""
        text = f"[{header['type']} of {size / 1e6:.0f} MB is too large to be sent]\n"
        content = (
            {"status": "error"} if header["type"].endswith("_reply") else {"name": "stderr", "text": text}
        )
        kind = header["type"] if header["type"].endswith("_reply") else "stream"
        self._agent.send({"op": "message", "type": kind, "parent": header["parent"], "content": content})

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
            self._agent.send(text)


def _shorten_reply(content: dict[str, Any]) -> dict[str, Any]:
    """Return a reply that is too long for a frame: without values, and with the ends of its error."""
    note = {"status": "error", "ename": "TooLarge", "evalue": "it is too large to be sent", "traceback": []}
    kept: dict[str, Any] = {
        name: content[name] for name in ("status", "execution_count", "ename") if name in content
    }
    if "evalue" in content:
        half = _MAX_TEXT_CHARS // 2
        texts = [str(content["evalue"]), *map(str, content.get("traceback", [])[:100])]
        short = [f"{text[:half]}…{text[-half:]}" if len(text) > 2 * half else text for text in texts]
        kept.update(evalue=short[0], traceback=short[1:])
    return {
        **kept,
        "payload": [],
        "user_expressions": dict.fromkeys(content.get("user_expressions", {}), note),
    }


def _to_json(content: dict[str, Any]) -> dict[str, Any]:
    from jupyter_client.session import json_packer

    return dict(json.loads(json_packer(content)))
