"""The files of the official command line ``prime``, which are only read."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .folders import find_home

__all__ = [
    "CONFIG",
    "PrimeFile",
    "context_file",
    "context_names",
    "prime_folder",
    "read_file",
    "stamp_file",
]

CONFIG = "config.json"
_CONTEXTS = "environments"
# As in `prime`; other names could be paths.
_CONTEXT_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MISSING = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class PrimeFile:
    """The content of a file, empty if the file is missing or broken."""

    label: str
    """The path for messages."""
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    error: str | None = None
    """The read error, with line and column but without any of the file's text."""
    is_missing: bool = False
    is_open_to_others: bool = False

    @property
    def may_hold_key(self) -> bool:
        """Return whether the file holds a key, or may."""
        return bool(self.content.get("api_key")) or self.error is not None


def prime_folder(home: Path | None = None) -> Path | None:
    """Return ``~/.prime``, or ``None`` if the home folder is unknown."""
    home = home or find_home()
    return home / ".prime" if home else None


def context_file(name: str) -> str | None:
    """Return the file of a saved context within the folder; ``None`` for an invalid name.

    >>> context_file("work"), context_file("../config")
    ('environments/work.json', None)
    """
    return f"{_CONTEXTS}/{name}.json" if _CONTEXT_NAME.fullmatch(name) else None


def context_names(folder: Path | None) -> list[str]:
    """Return the saved contexts after ``production``, which is built in."""
    try:
        files = sorted((folder / _CONTEXTS).glob("*.json")) if folder else []
    except OSError:
        files = []
    return ["production", *(path.stem for path in files if context_file(path.stem))]


def read_file(folder: Path | None, name: str) -> PrimeFile:
    """Read the file ``name`` of `prime_folder`; errors are in the result."""
    label = f"~/.prime/{name}"
    if folder is None:
        return PrimeFile(label, is_missing=True)
    try:
        mode = os.stat(folder / name).st_mode
        # Reading a pipe would block until someone writes.
        if not stat.S_ISREG(mode):
            return PrimeFile(label, error=f"{label} cannot be read (it is not a file)")
        data = (folder / name).read_bytes()
    except _MISSING:
        return PrimeFile(label, is_missing=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return PrimeFile(label, error=f"{label} cannot be read ({reason})")
    is_open = bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    content, problem = _parse_json(data)
    message = f"{label} cannot be read ({problem})" if problem else None
    return PrimeFile(label, content, message, is_open_to_others=is_open)


def stamp_file(folder: Path | None, name: str | None) -> tuple[int, ...]:
    """Return a value that changes with the file, without reading it."""
    if folder is None or name is None:
        return ()
    try:
        status = os.stat(folder / name)
    except (OSError, ValueError) as error:
        return (getattr(error, "errno", None) or 0,)
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _parse_json(data: bytes) -> tuple[Mapping[str, Any], str | None]:
    # Parser errors stay in here: they hold the whole text, perhaps with a key.
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return {}, f"line {line}, column {column}: not UTF-8"
    except (ValueError, RecursionError) as error:
        return {}, type(error).__name__
    if isinstance(content, dict):
        return content, None
    return {}, "line 1, column 1: not a JSON object"
