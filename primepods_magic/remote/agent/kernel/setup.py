"""Find a Python on the pod that has ipykernel, or install it beside the packages of the image.

Prints one JSON object per line: ``{"text": …}`` for progress, then ``{"python": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from ..folders import root_folder

__all__ = ["choose_base", "find_environment", "find_uv", "prepare_python"]

_LOOK = (
    "import importlib.util as u, json, sys; f = lambda m: u.find_spec(m) is not None; print(json.dumps({"
    "'version': sys.version_info[:2], 'prefix': sys.prefix, 'torch': f('torch'), 'pip': f('pip'), "
    "'kernel': f('ipykernel') and f('jupyter_client')}))"
)
_LOOK_S = 20.0
_INSTALL_S = 900.0
_COMMON = (
    "/opt/conda/bin/python",
    "/opt/venv/bin/python",
    "/venv/*/bin/python",
    "/workspace/venv/bin/python",
    "~/miniconda3/bin/python",
    "~/.venv/bin/python",
    "/usr/local/bin/python3",
    "/usr/bin/python3",
)
_MIN_VERSION = [3, 8]


def find_environment() -> str | None:
    """Return the Python of the environment that was made for kernels, if it is complete."""
    python = os.path.join(_get_environment_folder(), "bin", "python")
    return python if os.path.exists(_get_mark_path()) and os.path.exists(python) else None


def _get_environment_folder() -> str:
    return os.path.join(root_folder(), "kernel")


def _get_mark_path() -> str:
    return os.path.join(_get_environment_folder(), "ready")


def prepare_python() -> None:
    """Print the Python that runs kernels."""
    os.makedirs(root_folder(), mode=0o700, exist_ok=True)
    with open(os.path.join(root_folder(), "kernel.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = find_environment()
        if python is None:
            base = choose_base()
            if base["kernel"]:
                _report_python(base["python"])
            _install_ipykernel(base, _get_environment_folder())
            with open(_get_mark_path(), "w"):
                pass
            python = find_environment()
        _report_python(str(python))


def _print_line(**values: object) -> None:
    print(json.dumps(values), flush=True)


def _report_python(python: str) -> NoReturn:
    _print_line(python=python)
    raise SystemExit


def _report_error(error: str) -> NoReturn:
    _print_line(error=error)
    raise SystemExit


def choose_base() -> dict[str, Any]:
    """Choose a Python of the image: preferably one with torch, then one with ipykernel."""
    seen: list[dict[str, Any]] = []
    for path in _list_pythons():
        found = _look_at(path)
        if found and found["version"] >= _MIN_VERSION and found["prefix"] not in [f["prefix"] for f in seen]:
            seen.append(found)
            if found["kernel"] and found["torch"]:
                break
    if not seen:
        _report_error("There is no Python 3.8 or newer for the kernel")
    return max(seen, key=lambda found: (found["torch"], found["kernel"]))


def _list_pythons() -> Iterator[str]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if os.environ.get(variable):
            yield os.path.join(os.environ[variable], "bin", "python")
    for name in ("python3", "python"):
        yield shutil.which(name) or ""
    yield sys.executable
    for pattern in _COMMON:
        yield from sorted(glob.glob(os.path.expanduser(pattern)))


def _look_at(python: str) -> dict[str, Any] | None:
    if not os.access(python or "/nowhere", os.X_OK):
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            [python, "-c", _LOOK],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LOOK_S,
        )
        return {**json.loads(done.stdout), "python": python}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _install_ipykernel(base: dict[str, Any], folder: str) -> None:
    uv = find_uv()
    tool = "uv" if uv else "pip"
    if not uv and not base["pip"] and not _has_ensurepip(base["python"]):
        _report_error(
            "ipykernel is missing, and so are pip and uv to install it with. "
            "Run: apt-get update && apt-get install -y python3-pip python3-venv"
        )
    _print_line(text=f"Installing ipykernel with {tool}, once for this pod …")
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    python = os.path.join(folder, "bin", "python")
    if uv:
        _run_installer([uv, "venv", "--quiet", "--system-site-packages", "--python", base["python"], folder])
        _run_installer([uv, "pip", "install", "--quiet", "--python", python, "ipykernel"])
    else:
        # The image's pip is visible in the environment; installing another one takes seconds.
        without = ["--without-pip"] if base["pip"] else []
        _run_installer([base["python"], "-m", "venv", "--system-site-packages", *without, folder])
        _run_installer(
            [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "ipykernel",
            ]
        )
    _print_line(text=f"Installed ipykernel in {time.monotonic() - began:.0f} s")


def find_uv() -> str | None:
    """Return the program of uv, if there is one."""
    for path in (shutil.which("uv"), "~/.local/bin/uv", "~/.cargo/bin/uv"):
        if path and os.access(os.path.expanduser(path), os.X_OK):
            return os.path.expanduser(path)
    return None


def _has_ensurepip(python: str) -> bool:
    command = [python, "-c", "import ensurepip"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0  # noqa: S603


def _run_installer(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INSTALL_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _report_error(f"Installing ipykernel failed: {error}")
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        _report_error("Installing ipykernel failed: " + " ".join(lines[-3:])[-600:])
