"""Lines after a cell: files that it has written on the pod, and names and files that exist only here."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Container, Mapping
from typing import Any

from primepods_magic.api.text.sanitize import name_as_word, sanitize, shorten
from primepods_magic.remote.files.results import format_bytes

__all__ = ["describe_hint", "describe_missing_file", "describe_new_files"]

_MISSING = re.compile(r"\[Errno 2\] No such file or directory: '([^'\n]{1,500})'\Z")
_UNKNOWN_NAME = re.compile(r"name '(\w+)' is not defined")
_MAX_NAMED = 5
_MAX_BYTES = 1 << 60
# What needs no quotes in a command.
_PLAIN_PATH = re.compile(r"[\w/.+@-]{1,200}", re.ASCII)


def describe_new_files(found: object, pod_name: str) -> str:
    """Describe the files that a cell has written, with the command that fetches them; else return ``""``.

    >>> describe_new_files({"folder": "run", "count": 1, "files": [["model.pt", 41_000_000]]}, "train")
    "New on 'train': run/model.pt (41 MB). '%pods get train:run/model.pt' fetches it."
    """
    if not isinstance(found, Mapping):
        return ""
    folder, count, files = found.get("folder"), found.get("count"), found.get("files")
    if not isinstance(folder, str) or not isinstance(count, int) or not isinstance(files, list):
        return ""
    sizes = {posixpath.normpath(posixpath.join(folder, path)): size for path, size in _read_sizes(files)}
    if not sizes:
        return ""
    shown = dict(list(sizes.items())[:_MAX_NAMED])
    names = ", ".join(f"{sanitize(shorten(path, 80))} ({format_bytes(size)})" for path, size in shown.items())
    rest = max(count, len(sizes)) - len(shown)
    more = f" and {rest} more" if rest > 0 else ""
    fetched = " ".join(f"{name_as_word(pod_name)}:{path}" for path in shown if _is_plain(path))
    command = f" '%pods get {fetched}' fetches {'it' if len(shown) == 1 else 'them'}." if fetched else ""
    return f"New on '{pod_name}': {names}{more}.{command}"


def _read_sizes(files: list[Any]) -> list[tuple[str, int]]:
    pairs = [tuple(each) for each in files[:20] if isinstance(each, list) and len(each) == 2]
    return [
        (path, size)
        for path, size in pairs
        if isinstance(path, str) and isinstance(size, int) and 0 <= size < _MAX_BYTES
    ]


def _is_plain(path: str) -> bool:
    return bool(_PLAIN_PATH.fullmatch(path)) and not path.startswith("-")


def describe_hint(ename: str, evalue: str, names_here: Container[str], pod_name: str) -> str:
    """Return a hint if a name or a file that an error is about exists here; else return ``""``.

    >>> describe_hint("NameError", "name 'frame' is not defined", {"frame"}, "train")
    "'frame' exists in this notebook, but not on 'train'."
    """
    if ename == "FileNotFoundError":
        return describe_missing_file(evalue, pod_name)
    name = _UNKNOWN_NAME.match(evalue) if ename == "NameError" else None
    if name and name[1] in names_here:
        return f"{name[1]!r} exists in this notebook, but not on '{pod_name}'."
    return ""


def describe_missing_file(evalue: str, pod_name: str) -> str:
    """Describe a file that a cell did not find on the pod and that exists here; else return ``""``."""
    missing = _MISSING.fullmatch(evalue)
    if missing is None:
        return ""
    path = missing[1]
    try:
        if not os.path.exists(path):
            return ""
    except ValueError:
        return ""
    said = f"{sanitize(path)!r} exists here, but not on '{pod_name}'."
    folder = posixpath.dirname(path)
    if not _is_plain(path) or os.name == "nt" or ".." in path.split("/"):
        return f"{said} '%pods put' sends it."
    place = f":{folder}/" if folder else ""
    return f"{said} '%pods put {path} {name_as_word(pod_name)}{place}' sends it."
