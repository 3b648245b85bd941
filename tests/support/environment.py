"""The environment that tests, notebooks and the demo run in: an empty home, no key, nothing inherited."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

GUARD = Path(__file__).with_name("guard")

# Whatever decides where files are kept or how output looks, on the computer of whoever runs this.
_INHERITED = ("PRIME_", "PRIMEPODS_", "XDG_", "JUPYTER", "IPYTHON", "NBVAL_", "PYTEST_", "COV_")
_ALSO = (
    "COLUMNS",
    "LINES",
    "MPLBACKEND",
    "MPLCONFIGDIR",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "PYTHONSTARTUP",
)


def is_inherited(name: str) -> bool:
    """Whether a variable would carry the computer's own set-up into a test."""
    return name.startswith(_INHERITED) or name in _ALSO or name.lower().endswith("_proxy")


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """A copy of the environment for a process of ours, with `home` as its home."""
    kept = {name: value for name, value in os.environ.items() if not is_inherited(name)}
    return {**kept, "HOME": str(home), **extra}


def notebook_environment(home: Path, sandbox_url: str, **extra: str) -> dict[str, str]:
    """What makes the outputs of a notebook comparable on every computer."""
    return clean_environment(home, PRIMEPODS_SANDBOX_URL=sandbox_url, TZ="UTC", LC_ALL="C.UTF-8", **extra)


def guarded(environment: Mapping[str, str], log: Path) -> dict[str, str]:
    """The same environment, in which Python processes refuse to leave loopback and log what they tried."""
    rest = [
        part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part and part != str(GUARD)
    ]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join([str(GUARD), *rest]),
        "LOOPBACK_GUARD_LOG": str(log),
    }
