"""Files that a cell has written in the kernel's folder."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["find_new_files"]

_MAX_FILES = 20
_MAX_DEPTH = 6
_BUDGET_S = 0.05
# A file system that does not answer must not keep a cell from ending.
_PATIENCE_S = 0.5
_SKIPPED = ("__pycache__", "node_modules", "site-packages", "venv")


def find_new_files(pid: int, since: float) -> dict[str, Any]:
    """Return the files below a process's folder that were written since a time: the largest, and how many.

    The folder is relative to the home if it is in it. A folder with very many files is read in part.
    """
    found: dict[str, Any] = {}
    search = threading.Thread(target=_search_folder, args=(pid, since, found), daemon=True)
    search.start()
    search.join(_PATIENCE_S)
    return dict(found)


def _search_folder(pid: int, since: float, found: dict[str, Any]) -> None:
    try:
        folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return
    files: list[tuple[int, str]] = sorted(_iterate_new(folder, since), reverse=True)
    if files:
        home = os.path.realpath(os.path.expanduser("~"))
        is_inside = os.path.commonpath([folder, home]) == home
        found["folder"] = os.path.relpath(folder, home) if is_inside else folder
        found["count"] = len(files)
        found["files"] = [[path, size] for size, path in files[:_MAX_FILES]]


def _iterate_new(folder: str, since: float) -> Iterator[tuple[int, str]]:
    give_up = time.monotonic() + _BUDGET_S
    waiting = [("", 0)]
    while waiting:
        path, depth = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, path)) as entries:
                for entry in entries:
                    if time.monotonic() > give_up:
                        return
                    if entry.name.startswith(".") or entry.name in _SKIPPED:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if depth < _MAX_DEPTH:
                            waiting.append((os.path.join(path, entry.name), depth + 1))
                    elif entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        if facts.st_mtime >= since:
                            yield facts.st_size, os.path.join(path, entry.name)
        except OSError:
            continue
