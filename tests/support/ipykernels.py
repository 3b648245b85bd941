"""Other versions of ipykernel than the environment's own, for kernels that are to run on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[2] / ".venv-kernels"
# The last one without subshells. Most tests run on the one that they are installed with.
OLDER = ("6.30.1",)
# What the older ones import and the newest does not bring; everything else they share with it.
_BESIDES = "nest_asyncio==1.6.0"


@dataclass(frozen=True)
class Ipykernel:
    """A version of ipykernel, and the folder that it is installed in."""

    version: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a kernelspec has to set for its kernel to run on this version."""
        # jupyter_client puts in what the server has there, whose first folder guards loopback.
        return {"PYTHONPATH": os.pathsep.join(["${PYTHONPATH}", str(self.folder)])}


def installed(version: str) -> Ipykernel:
    """That version, installed once beside the project; to be called where pip may reach its index.

    Raises
    ------
    OSError, subprocess.SubprocessError
        When it cannot be installed.
    """
    folder = INSTALLED / version
    complete = folder / ".complete"
    if not complete.exists():
        INSTALLED.mkdir(exist_ok=True)
        (INSTALLED / ".gitignore").write_text("*\n")
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run(
            [*command, f"ipykernel=={version}", _BESIDES],
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
        # Written last: an installation that was interrupted is not taken for one.
        complete.touch()
    return Ipykernel(version, folder)
