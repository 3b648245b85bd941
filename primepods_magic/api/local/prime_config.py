"""The files of the official command line ``prime``, read and never written."""

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

__all__ = ["CONFIG", "PrimeFile", "context_file", "context_names", "prime_folder", "read_file", "stamp"]

CONFIG = "config.json"
_CONTEXTS = "environments"
# As `prime` has it; nothing else can be the name of a file of its own.
_CONTEXT_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MISSING = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class PrimeFile:
    """One file as it was read.

    Parameters
    ----------
    label : str
        How it is spoken of.
    content : mapping
        What it says; nothing where it is missing or broken.
    trouble : str, optional
        Why it could not be read, with the line and the column, and nothing of its text.
    is_missing : bool
        There is no such file.
    is_open_to_others : bool
        Other users of this computer may read it.
    """

    label: str
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    trouble: str | None = None
    is_missing: bool = False
    is_open_to_others: bool = False

    @property
    def may_hold_key(self) -> bool:
        """It holds a key, or it cannot be told."""
        return bool(self.content.get("api_key")) or self.trouble is not None


def prime_folder(home: Path | None = None) -> Path | None:
    """``~/.prime``, or ``None`` where nobody knows what home is."""
    home = home or find_home()
    return home / ".prime" if home else None


def context_file(name: str) -> str | None:
    """The file of a saved context, within the folder; ``None`` where no context can be called so.

    >>> context_file("work"), context_file("../config")
    ('environments/work.json', None)
    """
    return f"{_CONTEXTS}/{name}.json" if _CONTEXT_NAME.fullmatch(name) else None


def context_names(folder: Path | None) -> list[str]:
    """The saved contexts, and ``production``, which is built in."""
    try:
        files = sorted((folder / _CONTEXTS).glob("*.json")) if folder else []
    except OSError:
        files = []
    return ["production", *(path.stem for path in files if context_file(path.stem))]


def read_file(folder: Path | None, name: str) -> PrimeFile:
    """Read a file of the folder, whatever is in it.

    Parameters
    ----------
    folder : Path, optional
        As `prime_folder` answers.
    name : str
        The path within the folder.
    """
    label = f"~/.prime/{name}"
    if folder is None:
        return PrimeFile(label, is_missing=True)
    try:
        mode = os.stat(folder / name).st_mode
        # Reading a pipe would wait for whoever writes it.
        if not stat.S_ISREG(mode):
            return PrimeFile(label, trouble=f"{label} cannot be read (it is not a file)")
        data = (folder / name).read_bytes()
    except _MISSING:
        return PrimeFile(label, is_missing=True)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return PrimeFile(label, trouble=f"{label} cannot be read ({said})")
    is_open = bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    content, wrong = _parse(data)
    trouble = f"{label} cannot be read ({wrong})" if wrong else None
    return PrimeFile(label, content, trouble, is_open_to_others=is_open)


def stamp(folder: Path | None, name: str | None) -> tuple[int, ...]:
    """What changes when a file changes, without reading it."""
    if folder is None or name is None:
        return ()
    try:
        found = os.stat(folder / name)
    except (OSError, ValueError) as error:
        return (getattr(error, "errno", None) or 0,)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _parse(data: bytes) -> tuple[Mapping[str, Any], str | None]:
    # No error of the parser leaves this place: it holds the whole text, and a key may be in it.
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
