"""The process of a kernel, and the sockets that lead to it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from typing import Any

__all__ = ["CHANNELS", "KernelProcess"]

CHANNELS = ("shell", "control", "stdin", "iopub")
_PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
_END_S = 10.0


class KernelProcess:
    """A running ipykernel, with UNIX sockets in a folder.

    It is started with the standard library alone: loading jupyter_client takes as long as ipykernel itself,
    so both happen at the same time.

    Parameters
    ----------
    folder : str
        A folder that only this user can enter.
    """

    def __init__(self, folder: str) -> None:
        self.key = secrets.token_hex(32)
        self._prefix = os.path.join(folder, "kernel")
        ports = {f"{name}_port": port for name, port in _PORTS.items()}
        place = {"transport": "ipc", "ip": self._prefix}
        connection = {**ports, **place, "key": self.key, "signature_scheme": "hmac-sha256"}
        file = f"{self._prefix}.json"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as connection_file:
            json.dump(connection, connection_file)
        # The kernel ends with this process.
        environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
        program = os.path.abspath(sys.argv[0])
        # Use this Python, whatever kernel specs the image has.
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-Xfrozen_modules=off", program, "ipykernel", file],
            cwd=os.path.expanduser("~"),
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """True while it runs."""
        return self.process.poll() is None

    def is_listening(self) -> bool:
        """Return whether it has opened its sockets."""
        return all(os.path.exists(f"{self._prefix}-{_PORTS[name]}") for name in CHANNELS)

    def connect(self, context: Any, identity: bytes) -> dict[str, Any]:
        """Return a connected socket for each channel."""
        import zmq

        sockets = {}
        for name in CHANNELS:
            socket = context.socket(zmq.SUB if name == "iopub" else zmq.DEALER)
            socket.identity = identity
            if name == "iopub":
                socket.subscribe(b"")
            socket.connect(f"ipc://{self._prefix}-{_PORTS[name]}")
            sockets[name] = socket
        return sockets

    def interrupt(self) -> None:
        """Interrupt it, and what it has started, as Ctrl-C does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it, and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_S)
