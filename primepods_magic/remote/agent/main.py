"""The agent's commands: ``serve``, ``prepare`` and ``kernel``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command of the arguments."""
    os.umask(0o077)
    command = sys.argv[1]
    if command == "serve":
        from .server import serve

        serve()
    elif command == "prepare":
        from .kernel_setup import prepare_python

        prepare_python()
    elif command == "kernel":
        from .kernel_host import run_kernel

        run_kernel(sys.argv[2])
    else:
        raise SystemExit(f"unknown command {command!r}")
