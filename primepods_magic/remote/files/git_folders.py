"""Names and folders whose content git or Python here would run: no file from a pod may be in one."""

from __future__ import annotations

import os
import unicodedata

from .ignoring import NEVER_SENT

__all__ = ["explain_name", "find_git_folder", "find_unwanted", "is_git_folder"]

_GIT, _, _CACHE = NEVER_SENT
# Without it, git takes no folder for a repository; with it, any folder that also has one of these.
_HEAD = "HEAD"
_BESIDE_HEAD = ("objects", "commondir")


def find_unwanted(name: str) -> str:
    """Return which name that is never sent a file system may take a name for; empty for none."""
    seen = _clean_name(name).casefold()
    return _GIT if seen == "git~1" else seen if seen in NEVER_SENT else ""


def explain_name(name: str, *, folds_case: bool) -> str:
    """Return why a file of that name is not fetched; empty if it may be.

    >>> explain_name("HEAD", folds_case=False), explain_name("head", folds_case=False)
    ('git would take its folder for a repository', '')
    """
    if find_unwanted(name) == _GIT:
        return "git would run what it says"
    seen = _clean_name(name)
    is_head = (seen.upper() if folds_case else seen) == _HEAD
    return "git would take its folder for a repository" if is_head else ""


def _clean_name(name: str) -> str:
    """Return a name as macOS and Windows see it: without invisible characters, streams, dots at its end."""
    seen = name if name.isascii() else "".join(char for char in name if unicodedata.category(char) != "Cf")
    return seen.partition(":")[0].rstrip(". ")


def is_git_folder(folder: str) -> bool:
    """Return whether git takes a folder here for a repository without a working tree."""
    has_head = os.path.lexists(os.path.join(folder, _HEAD))
    return has_head and any(os.path.lexists(os.path.join(folder, name)) for name in _BESIDE_HEAD)


def find_git_folder(folder: str) -> str:
    """Return the folder of git, or of Python's cache, that a folder here is or is in; empty for none."""
    return _find_above(folder) or _find_above(os.path.realpath(folder))


def _find_above(path: str) -> str:
    while find_unwanted(os.path.basename(path)) not in (_GIT, _CACHE) and not is_git_folder(path):
        above = os.path.dirname(path)
        # A working tree may be below its repository.
        if above == path or os.path.lexists(os.path.join(path, _GIT)):
            return ""
        path = above
    return path
