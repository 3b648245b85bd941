"""Facts about a pod: Python, ipykernel, disk, memory, GPUs, limits of its SSH server, and its clock."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Any

from .kernel.setup import choose_base, find_environment

__all__ = ["print_report"]

_GPU_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
_GPU_S = 10.0
_SSHD_CONFIG = "/etc/ssh/sshd_config"
_LIMITS = re.compile(r"^[ \t]*(MaxSessions|MaxStartups)[ \t]+(\S+)", re.MULTILINE | re.IGNORECASE)


def print_report() -> None:
    """Print the facts as one JSON object, without those that cannot be determined."""
    disk = shutil.disk_usage(os.path.expanduser("~"))
    base = choose_base()
    facts: dict[str, Any] = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "kernel_python": find_environment() or base["python"],
        "has_kernel": bool(find_environment() or base["kernel"]),
        "disk_free_gb": disk.free / 1e9,
        "disk_total_gb": disk.total / 1e9,
        "limits": _read_limits(),
        "now": time.time(),
    }
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            _GPU_QUERY, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_GPU_S
        )
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        facts["gpus" if done.returncode == 0 else "gpu_error"] = lines
    except (OSError, subprocess.TimeoutExpired) as error:
        facts["gpu_error"] = [type(error).__name__]
    print(json.dumps(facts))


def _read_limits() -> dict[str, str]:
    try:
        with open(_SSHD_CONFIG, encoding="utf-8", errors="replace") as file:
            return dict(_LIMITS.findall(file.read()))
    except OSError:
        return {}
