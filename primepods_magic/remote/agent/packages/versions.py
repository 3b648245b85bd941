"""Versions of packages on the pod, from the Python that runs kernels."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from typing import Any

from ..kernel.setup import choose_base, find_environment
from .names import is_name, normalize_name

__all__ = ["list_installed", "print_packages", "print_versions"]

_LOOK_S = 50.0


def print_packages() -> None:
    """Print, as one JSON object, what the Python of the kernels says about the packages that stdin names."""
    python = find_environment()
    # A kernel gets an environment of its own where the image's Python has no ipykernel.
    base: dict[str, Any] = {"kernel": True} if python else choose_base()
    python = python or str(base["python"])
    done = subprocess.run(  # noqa: S603 - this program itself
        [python, os.path.abspath(sys.argv[0]), "versions"],
        check=True,
        stdin=sys.stdin.buffer,
        stdout=subprocess.PIPE,
        timeout=_LOOK_S,
    )
    print(json.dumps({**json.loads(done.stdout), "python": python, "has_kernel": bool(base["kernel"])}))


def print_versions() -> None:
    """Print, as one JSON object, the versions that this Python has of the packages that stdin names."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    installed = list_installed()
    facts = {
        "version": ".".join(map(str, sys.version_info[:3])),
        "is_managed": is_managed(),
        "packages": {name: installed[name] for name in wanted if name in installed},
        "modules": [
            name
            for name, modules in wanted.items()
            if name not in installed and modules and all(map(_has_module, modules))
        ],
    }
    print(json.dumps(facts))


def list_installed() -> dict[str, str]:
    """Return the versions of everything that this Python can import, by normalized name."""
    installed: dict[str, str] = {}
    for each in importlib.metadata.distributions():
        name = each.metadata["Name"]
        if is_name(name):
            # The first one on the path is the one that is imported.
            installed.setdefault(normalize_name(name), str(each.version))
    return installed


def is_managed() -> bool:
    """Return whether the operating system manages this Python, so that nothing may be installed into it."""
    mark = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return sys.prefix == sys.base_prefix and os.path.exists(mark)


def _has_module(name: str) -> bool:
    """Return whether a module is there, without importing it; a folder without an `__init__` is not one."""
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None
