"""The kernel's process: ipykernel without a TCP port."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["make_kernel_app"]


def make_kernel_app(connection_file: str) -> Callable[[], object]:
    """Return a function that runs ipykernel; output of forked processes uses a UNIX socket, too."""
    # Cells must not be able to import this program's modules.
    del sys.path[0]

    import zmq
    from ipykernel import iostream, kernelapp

    app: Any = kernelapp
    streams: Any = iostream
    address = f"ipc://{os.path.join(os.path.dirname(connection_file), 'pipe')}"

    class PrivateIOPubThread(iostream.IOPubThread):
        def __init__(self, socket: Any, *args: Any, **named: Any) -> None:
            # Otherwise, output that comes faster than it is read is dropped.
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            super().__init__(socket, *args, **named)  # type: ignore[no-untyped-call]

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

    class PrivateKernelApp(kernelapp.IPKernelApp):
        def init_kernel(self) -> None:
            super().init_kernel()  # type: ignore[no-untyped-call]
            # A pause before each reply, for output to arrive. Our host waits for the status after it instead.
            kernel: Any = self.kernel
            kernel._execute_sleep = 0.0

        def init_shell(self) -> None:
            super().init_shell()  # type: ignore[no-untyped-call]
            streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}

            def restore_streams() -> None:
                # Without a stream, a kernel does not answer the next request.
                for name, stream in streams.items():
                    if getattr(sys, name) is None:
                        setattr(sys, name, stream)

            shell: Any = self.shell
            shell.events.register("post_execute", restore_streams)

    app.IOPubThread = PrivateIOPubThread
    # Input may contain secrets, so it is not written to a history file there.
    sys.argv[1:] = ["-f", connection_file, "--HistoryManager.hist_file=:memory:"]
    launch: Callable[[], object] = PrivateKernelApp.launch_instance
    return launch
