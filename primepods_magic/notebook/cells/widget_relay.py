"""Widgets of a pod's kernel in the local notebook: their messages go through the local kernel, both ways."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from primepods_magic.remote.job import Job

__all__ = ["WidgetRelay"]

_MAX_COMMS = 10_000
_MAX_REQUESTS = 1000
_MAX_ID_CHARS = 200


class WidgetRelay:
    """The widgets of one cell, and the local twins of their comms.

    Parameters
    ----------
    shell : InteractiveShell
        Of an ipykernel.
    job : Job
    """

    def __init__(self, shell: Any, job: Job) -> None:
        self._shell = shell
        self._job = job
        self._comms: dict[str, Any] = {}
        self._is_full_said = False
        self._requests: dict[str, Mapping[str, Any]] = {}
        self.parent: Mapping[str, Any] = shell.kernel.get_parent("shell")
        """The request of the cell, to which late output belongs."""

    @property
    def is_used(self) -> bool:
        """True while a widget of the cell lives."""
        return bool(self._comms)

    def relay(
        self, kind: str, content: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[bytes]
    ) -> None:
        """Pass a message of the pod's kernel on to the front end."""
        comm_id, data = content.get("comm_id"), content.get("data", {})
        if kind == "comm_open" and isinstance(comm_id, str) and comm_id not in self._comms:
            if len(self._comms) >= _MAX_COMMS or len(comm_id) > _MAX_ID_CHARS:
                self._say_full()
                return
            self._open_comm(comm_id, content, metadata, buffers)
        elif comm_id in self._comms:
            if kind == "comm_msg":
                self._comms[comm_id].send(data=data, metadata=metadata, buffers=list(buffers))
            elif kind == "comm_close":
                self._comms.pop(comm_id).close(data=data)

    def _open_comm(
        self, comm_id: str, content: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[bytes]
    ) -> None:
        from comm import create_comm

        comm = create_comm(
            comm_id=comm_id,
            target_name=content.get("target_name", ""),
            data=content.get("data", {}),
            metadata=metadata,
            buffers=list(buffers),
        )
        comm.on_msg(lambda message: self._send_back("comm_msg", comm_id, message))
        comm.on_close(lambda message: self._send_back("comm_close", comm_id, message))
        self._comms[comm_id] = comm

    def _say_full(self) -> None:
        if not self._is_full_said:
            self._is_full_said = True
            text = f"[The cell has opened more than {_MAX_COMMS:,} widgets: further ones are not shown]\n"
            self.show_late({"type": "stream", "content": {"name": "stderr", "text": text}}, [])

    def _send_back(self, kind: str, comm_id: str, message: Mapping[str, Any] | None) -> None:
        """Pass a message of the front end on to the pod's kernel."""
        if message is None:
            return
        msg_id = secrets.token_hex(16)
        self._requests[msg_id] = message
        if len(self._requests) > _MAX_REQUESTS:
            # What it still causes is shown below the cell.
            self._requests.pop(next(iter(self._requests)), None)
        content = {**message["content"], "comm_id": comm_id}
        buffers = [bytes(each) for each in message.get("buffers", [])]
        self._job.link.request(
            "send",
            buffers,
            session=self._job.session,
            job=self._job.id,
            type=kind,
            msg_id=msg_id,
            content=content,
        )

    def show_late(self, header: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        """Show the output of its threads and of its widgets' callbacks after the cell has ended."""
        kind, content = header["type"], header.get("content", {})
        metadata = header.get("metadata", {})
        if kind.startswith("comm_"):
            self.relay(kind, content, metadata, buffers)
        elif kind in ("stream", "display_data", "update_display_data", "clear_output", "error"):
            publisher = self._shell.display_pub
            publisher.session.send(
                publisher.pub_socket,
                kind,
                content,
                parent=self._requests.get(header.get("parent", ""), self.parent),
                metadata=metadata,
                ident=publisher.topic,
            )
