"""The agent's commands, such as ``serve``, ``prepare``, ``guard`` and ``kernel``."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

__all__ = ["find_command"]


def find_command() -> Callable[[], object]:
    """Return the function that runs the command in the arguments."""
    login_umask = os.umask(0o077)
    command = sys.argv[1]
    if command == "serve":
        from .server import serve

        return serve
    if command == "prepare":
        from .kernel.setup import prepare_python

        return prepare_python
    if command == "report":
        from .report import print_report

        return print_report
    if command == "guard":
        from .guard.process import run_guard

        return run_guard
    if command == "guard_test":
        from .guard.process import print_power

        return print_power
    if command == "packages":
        from .packages.versions import print_packages

        return print_packages
    if command == "versions":
        from .packages.versions import print_versions

        return print_versions
    if command == "install":
        from .packages.install import install_packages

        return functools.partial(install_packages, login_umask)
    if command == "kernel":
        from .kernel.host import run_kernel

        return functools.partial(run_kernel, sys.argv[2])
    if command == "ipykernel":
        from .kernel.app import make_kernel_app

        return make_kernel_app(sys.argv[2])
    raise SystemExit(f"unknown command {command!r}")
