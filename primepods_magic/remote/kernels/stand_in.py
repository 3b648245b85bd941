"""Stands in for the relay if the Python that has it is gone: a copy of this file is beside each kernel spec.

Any Python with ipykernel runs it, without this package.
"""

from __future__ import annotations

import sys
from typing import Any


def run_stand_in(python: str, connection_file: str) -> None:
    """Run a kernel that says in each cell what is gone."""
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.kernelbase import Kernel

    text = (
        f"The Python that relays to the pod is gone: {python}. Nothing was run, and what runs on the pod "
        "keeps running. Run '%pods kernel' in an environment that has primepods_magic"
    )
    error = {"ename": "NotConfigured", "evalue": text, "traceback": [f"NotConfigured: {text}"]}
    base: Any = Kernel

    class StandIn(base):  # type: ignore[misc]
        implementation = "primepods"
        implementation_version = "1"
        banner = text
        language_info = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}

        async def do_execute(self, *given: Any, **named: Any) -> dict[str, Any]:
            self.send_response(self.iopub_socket, "error", error)
            return {**error, "status": "error", "execution_count": self.execution_count}

    application: Any = IPKernelApp
    application.launch_instance(["-f", connection_file], kernel_class=StandIn)


if __name__ == "__main__":
    run_stand_in(sys.argv[1], sys.argv[sys.argv.index("-f") + 1])
