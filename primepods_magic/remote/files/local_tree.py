"""Files of this computer: what a path names, their hashes, and the space that is left."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.folders import complete_path
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.remote.agent.files.listing import Entry, hash_files, list_tree, read_entry
from primepods_magic.remote.agent.files.root import Root, find_kind

from .ignoring import IgnoreRules

__all__ = ["find_sources", "hash_local", "is_folder", "list_folder", "list_source"]


def find_sources(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return what local paths and patterns name, as full paths; InvalidRequest if there is nothing."""
    found: list[str] = []
    for path in paths:
        text = complete_path(path)
        matches = [text] if os.path.lexists(text) else sorted(glob.glob(text))
        if not matches:
            raise InvalidRequest(f"There is no file {sanitize(os.fspath(path))!r} here. Nothing was sent")
        found += matches
    if not found:
        raise InvalidRequest("No file was named. Nothing was sent")
    return list(dict.fromkeys(found))


def list_source(path: str, name: str, *, all_files: bool = False) -> dict[str, Entry]:
    """Return a file, or a folder with everything in it but what is ignored.

    By paths relative to its folder; the entries have those that they get, below `name`.
    """
    local = os.path.basename(path)
    if not local:
        raise InvalidRequest(f"{path!r} has no name. Name the folders in it. Nothing was sent")
    entry = read_entry(name, os.stat(path))
    if entry.kind != "dir":
        return {local: entry}
    below = list_folder(path, all_files=all_files)[0]
    listed = {f"{local}/{each.path}": each._replace(path=f"{name}/{each.path}") for each in below}
    return {local: entry, **listed}


def list_folder(folder: str, *, all_files: bool = False) -> tuple[list[Entry], IgnoreRules | None]:
    """Return everything in a folder but what is ignored, and the rules for that.

    Raises InvalidRequest if it cannot be listed, or its rules cannot be read.
    """
    rules = None if all_files else IgnoreRules(folder)
    try:
        return list(list_tree(folder, rules.enter if rules else None)), rules
    except OSError as error:
        raise InvalidRequest(
            f"Cannot list {sanitize(folder)!r} ({error.strerror}). Nothing was sent"
        ) from None


def hash_local(folder: str, files: Sequence[tuple[str, int]]) -> list[str]:
    """Return the hash of the beginning of each file, given with its size; empty if it cannot be read."""
    with Root(folder) as root:
        return list(hash_files(root, files))


def is_folder(path: str) -> bool:
    """Return whether there is a folder."""
    try:
        return find_kind(os.stat(path).st_mode) == "dir"
    except OSError:
        return False
