"""Messages of the pod's kernel, published for the request that they belong to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from primepods_magic.remote.agent.frames import OUTPUT_TYPES

__all__ = ["Publisher"]

_MAX_REQUESTS = 5000
_MAX_COMMS = 10_000


class Publisher:
    """Publishes messages to all front ends, each with the request that caused it as its parent.

    Parameters
    ----------
    kernel : PodKernel
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._requests: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._comms: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self.last_job = ""

    def note_request(self, request: Mapping[str, Any]) -> str:
        """Keep a request whose output may come at any time; return its id."""
        msg_id = str(request["header"]["msg_id"])
        _keep_newest(self._requests, msg_id, request, _MAX_REQUESTS)
        return msg_id

    def has_request(self, msg_id: object) -> bool:
        """Return whether this relay has taken a request itself."""
        return msg_id in self._requests

    def find_comm_job(self, comm_id: object) -> str:
        """Return the job that opened a comm, or else the last one."""
        return self._comms.get(str(comm_id), self.last_job)

    def publish(
        self,
        kind: str,
        content: Mapping[str, Any],
        parent: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Publish one message; threads may do so at the same time."""
        kernel = self._kernel
        with self._lock:
            kernel.session.send(
                kernel.iopub_socket,
                kind,
                dict(content),
                parent=parent,
                ident=kernel._topic(kind),
                metadata=dict(metadata or {}),
                buffers=list(buffers),
            )

    def show_frame(
        self, header: Mapping[str, Any], buffers: Sequence[bytes], parent: Mapping[str, Any]
    ) -> None:
        """Publish a frame that is output; other frames are ignored."""
        kind, content = header["type"], header.get("content", {})
        if kind not in OUTPUT_TYPES:
            return
        if kind == "comm_open":
            _keep_newest(self._comms, content["comm_id"], header["job"], _MAX_COMMS)
        asked = self._requests.get(header.get("parent", ""), parent)
        self.publish(kind, content, asked, metadata=header.get("metadata"), buffers=buffers)


def _keep_newest(kept: OrderedDict[str, Any], key: str, value: Any, limit: int) -> None:
    kept[key] = value
    while len(kept) > limit:
        kept.popitem(last=False)


class BoundPublisher:
    """Publishes the output of one cell, for `LateOutput`."""

    def __init__(self, publisher: Publisher, parent: Mapping[str, Any]) -> None:
        self._publisher = publisher
        self._parent = parent

    def show_late(self, header: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        """Publish one frame."""
        self._publisher.show_frame(header, buffers, self._parent)
