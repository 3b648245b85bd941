"""The relay's process: sockets, heartbeat and connection file are those of ipykernel."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from ipykernel.kernelapp import IPKernelApp

from .kernel import PodKernel
from .options import RelayOptions
from .pod_session import PodSession

__all__ = ["RelayApp", "launch_relay"]


class RelayApp(IPKernelApp):
    """An application whose kernel runs nothing itself."""

    name = "primepods-kernel"
    kernel_class = PodKernel
    classes = [*IPKernelApp.classes, PodKernel]
    # What this process itself prints belongs into the log of the server.
    outstream_class: Any = None

    def init_path(self) -> None:
        """Leave the path alone: the folder of the notebook must not hide modules that the relay needs."""

    def init_signal(self) -> None:
        """Treat Ctrl-C as front ends that send a signal mean it."""
        signal.signal(signal.SIGINT, lambda *_: self.kernel and self.kernel.interrupt_cell())

    def init_kernel(self) -> None:
        """Make the kernel, and tell it what it is for."""
        super().init_kernel()
        self.kernel.bind_session(self.options, self.pod_session)

    options: RelayOptions
    pod_session: PodSession


def launch_relay(options: RelayOptions, session: PodSession, words: Sequence[str]) -> None:
    """Run until the front end ends the kernel."""
    RelayApp.options, RelayApp.pod_session = options, session
    RelayApp.launch_instance(list(words))
