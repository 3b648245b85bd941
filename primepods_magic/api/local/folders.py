"""Folders of this user: the home folder, and those for our files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

__all__ = ["complete_path", "expand_path", "find_folder", "find_home", "make_folder", "shorten_path"]

FolderKind = Literal["state", "cache", "config", "data"]


def find_home() -> Path | None:
    """Return the home folder, or ``None`` if it is unknown or relative; it may not exist or be read-only."""
    try:
        home = Path.home()
    except (RuntimeError, OSError):
        return None
    return home if home.is_absolute() else None


def find_folder(kind: FolderKind) -> Path | None:
    """Return our platformdirs folder for one kind of files, or ``None``; it may not exist or be writable.

    >>> find_folder("state")                                                 # doctest: +SKIP
    PosixPath('/home/ada/.local/state/primepods_magic')
    """
    simple = _find_xdg_folder(kind)
    if simple is not None:
        return simple
    import platformdirs

    try:
        folder = Path(getattr(platformdirs, f"user_{kind}_dir")("primepods_magic"))
    except (RuntimeError, OSError):
        return None
    # Without a home, some versions of platformdirs return a path that begins with "~".
    return folder if folder.is_absolute() else None


def _find_xdg_folder(kind: FolderKind) -> Path | None:
    """Return the folder as platformdirs does, without loading it; ``None`` if this is not a plain Linux."""
    home, inner = os.environ.get("HOME", ""), ".local/share" if kind == "data" else f".local/{kind}"
    inner = f".{kind}" if kind in ("cache", "config") else inner
    parent = os.environ.get(f"XDG_{kind.upper()}_HOME") or f"{home}/{inner}"
    is_simple = sys.platform == "linux" and home.startswith("/") and parent.startswith("/")
    return Path(parent, "primepods_magic") if is_simple and "ANDROID_DATA" not in os.environ else None


def make_folder(folder: Path) -> None:
    """Make one of our folders, and those above it that are missing, for this user only."""
    if not folder.is_dir():
        # With `parents=True`, mkdir gives its mode to the last folder only.
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def expand_path(path: str | Path) -> Path:
    """Return a typed path with ``~`` expanded; raise InvalidRequest if it is not a path to a file.

    >>> expand_path("tables/costs.csv").as_posix()
    'tables/costs.csv'
    """
    from primepods_magic.api.errors import InvalidRequest

    try:
        whole = Path(path).expanduser()
    except (RuntimeError, OSError):
        raise InvalidRequest(f"Cannot expand '{path}': the home folder is unknown. Use a full path") from None
    except ValueError:
        raise InvalidRequest(f"'{path}' is not a path to a file") from None
    if not whole.name or "\0" in str(whole):
        raise InvalidRequest(f"'{path}' is not a path to a file")
    return whole


def complete_path(path: str | os.PathLike[str]) -> str:
    """Return a typed path in full, with ``~`` expanded; it may be that of a folder.

    >>> complete_path("/data/../tables/")
    '/tables'
    """
    from primepods_magic.api.errors import InvalidRequest

    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str):
        raise InvalidRequest(f"A path must be text or a Path. It is of type {type(text).__name__}")
    if not text or "\0" in text:
        raise InvalidRequest(f"'{text}' is not a path")
    return os.path.abspath(os.path.expanduser(text))


def shorten_path(path: Path) -> str:
    """Return a path with the home folder shortened to ``~``.

    >>> shorten_path(Path.home() / ".ssh")
    '~/.ssh'
    """
    home = find_home()
    return f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path)
