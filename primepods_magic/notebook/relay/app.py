"""The relay's process: sockets, heartbeat and connection file are those of ipykernel."""

from __future__ import annotations

import signal
from typing import Any

from ipykernel.kernelapp import IPKernelApp, kernel_aliases, kernel_flags
from traitlets import Dict

from .kernel import PodKernel

__all__ = ["launch_relay"]


class RelayApp(IPKernelApp):
    """An application whose kernel runs nothing itself."""

    name = "primepods-kernel"
    aliases = Dict(
        {
            **kernel_aliases,
            "pod": "PodKernel.pod_id",
            "session": "PodKernel.session_name",
            "costs": "PodKernel.cell_costs",
        }
    )
    flags = Dict(
        {
            **kernel_flags,
            "sync": ({"PodKernel": {"syncs_folder": True}}, "Send the notebook's folder before each cell."),
        }
    )
    kernel_class = PodKernel
    classes = [*IPKernelApp.classes, PodKernel]
    # What this process itself prints belongs into the log of the server.
    outstream_class: Any = None

    def init_path(self) -> None:
        """Leave the path alone: the folder of the notebook must not hide modules that the relay needs."""

    def init_signal(self) -> None:
        """Treat Ctrl-C as front ends that send a signal mean it."""
        signal.signal(signal.SIGINT, lambda *_: self.kernel and self.kernel.interrupt_cell())


def launch_relay(argv: list[str] | None = None, **traits: Any) -> None:
    """Run until the front end ends the kernel."""
    RelayApp.launch_instance(argv, **traits)
