"""Folders of this user: the home, and where files of ours belong. Any of them may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from primepods_magic.api.errors import InvalidRequest

__all__ = ["expand_path", "find_folder", "find_home", "shorten_path"]

FolderKind = Literal["state", "cache", "config", "data"]


def find_home() -> Path | None:
    """Return the home folder, or ``None`` if it is unknown or not an absolute path.

    It may not exist, and it may be read-only.
    """
    try:
        home = Path.home()
    except (RuntimeError, OSError):
        return None
    return home if home.is_absolute() else None


def find_folder(kind: FolderKind) -> Path | None:
    """Return our folder for files of one kind, or ``None`` if this user has no place for them.

    The folder is not created: it may not exist, and it may not be writable.

    Parameters
    ----------
    kind : {"state", "cache", "config", "data"}
        What platformdirs calls the kind of files.

    Examples
    --------
    >>> find_folder("state")                                                 # doctest: +SKIP
    PosixPath('/home/ada/.local/state/primepods_magic')
    """
    import platformdirs

    try:
        folder = Path(getattr(platformdirs, f"user_{kind}_dir")("primepods_magic"))
    except (RuntimeError, OSError):
        return None
    # Without a home, some versions of platformdirs return a path that begins with "~".
    return folder if folder.is_absolute() else None


def expand_path(path: str | Path) -> Path:
    """Return a path as a person typed it, with the home folder in place of ``~``.

    Raises
    ------
    InvalidRequest
        It is not a path, or the home folder that it names is unknown.

    Examples
    --------
    >>> expand_path("tables/costs.csv").as_posix()
    'tables/costs.csv'
    """
    try:
        whole = Path(path).expanduser()
    except (RuntimeError, OSError):
        raise InvalidRequest(
            f"'{path}' cannot be used: the home folder is unknown. Use a full path"
        ) from None
    except ValueError:
        raise InvalidRequest(f"'{path}' is not a path to a file") from None
    if not whole.name or "\0" in str(whole):
        raise InvalidRequest(f"'{path}' is not a path to a file")
    return whole


def shorten_path(path: Path) -> str:
    """Return a path as a person writes it, with ``~`` in place of the home folder.

    >>> shorten_path(Path.home() / ".ssh")
    '~/.ssh'
    """
    home = find_home()
    return f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else str(path)
