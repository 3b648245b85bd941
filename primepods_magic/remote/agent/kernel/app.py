"""The kernel's process: ipykernel without a TCP port."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["make_kernel_app"]


def make_kernel_app(connection_file: str) -> Callable[[], object]:
    """Return what runs ipykernel; what forked processes print comes over a UNIX socket too."""
    # Nothing of this program is for cells to import.
    del sys.path[0]

    import zmq
    from ipykernel import iostream, kernelapp

    app: Any = kernelapp
    streams: Any = iostream
    address = f"ipc://{os.path.join(os.path.dirname(connection_file), 'pipe')}"

    class PrivateIOPubThread(iostream.IOPubThread):
        def _setup_pipe_in(self) -> None:
            self._pipe_uuid = os.urandom(16)
            pipe_in = self.socket.context.socket(zmq.PULL)
            pipe_in.linger = 0
            pipe_in.bind(address)
            self._pipe_in = streams.ZMQStream(pipe_in, self.io_loop)
            self._pipe_in.on_recv(self._handle_pipe_msg)

        def _setup_pipe_out(self) -> tuple[Any, Any]:
            # A forked process must not use the context of its parent.
            context = zmq.Context()
            pipe_out = context.socket(zmq.PUSH)
            pipe_out.linger = 3000
            pipe_out.connect(address)
            return context, pipe_out

    app.IOPubThread = PrivateIOPubThread
    # What is typed may hold secrets, which stay in no file there.
    sys.argv[1:] = ["-f", connection_file, "--HistoryManager.hist_file=:memory:"]
    launch: Callable[[], object] = app.launch_new_instance
    return launch
