"""The project's folder in a session: cells run there, and modules that have changed are loaded again."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import cache_from_source
from types import ModuleType
from typing import Any, Dict, Iterator, NamedTuple, Sequence, Tuple

__all__ = ["ReloadFailed", "enter_folder"]


class ReloadFailed(Exception):
    """A module that has changed could not be loaded again, and is tried again before the next cell."""


class _Version(NamedTuple):
    """A file as it is now."""

    facts: Tuple[int, ...]
    digest: bytes


def enter_folder(namespace: Dict[str, Any], folder: str) -> Dict[str, Any]:
    """Make a folder the current one, and load its modules that differ from their files again.

    Functions and classes that cells have imported from them are brought up to date. Raises ReloadFailed if
    a module raises.
    """
    folder = os.path.realpath(os.path.expanduser(folder))
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:
        # It was removed, and perhaps made again.
        here = os.sep
    if os.path.commonpath([folder, here]) != folder:
        os.chdir(folder)
    _imports.folder = folder
    if _imports not in sys.meta_path:
        sys.meta_path.insert(0, _imports)
    importlib.invalidate_caches()
    return {"reloaded": [name for name, module in _list_modules(folder) if _update_module(name, module)]}


class _Imports:
    """The first finder of modules: it finds none, and notes which version of a file is imported."""

    def __init__(self) -> None:
        self.folder = ""
        self.versions: Dict[str, _Version] = {}
        """By the name of the module."""
        self._real_paths: Dict[str, str] = {}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Note the file that a module of the folder is about to be loaded from."""
        try:
            places = [place for place in (sys.path if path is None else path) if self.has_file(place or ".")]
            spec = PathFinder.find_spec(name, places) if places else None
            if spec and spec.origin and spec.has_location:
                self.versions[name] = _read_version(spec.origin)
        except Exception:  # noqa: BLE001 - the import says what is wrong
            self.versions.pop(name, None)

    def has_file(self, path: str) -> bool:
        """Return whether a path is the folder or in it, but not in an environment of Python there."""
        if not os.path.isabs(path):
            path = os.path.abspath(path)
        real = self._real_paths.get(path)
        if real is None:
            real = self._real_paths[path] = os.path.realpath(path)
        parts = real[len(self.folder) :].split(os.sep)
        is_below = real.startswith(self.folder) and parts[0] == ""
        return is_below and "site-packages" not in parts and "dist-packages" not in parts


_imports = _Imports()


def _list_modules(folder: str) -> Iterator[Tuple[str, ModuleType]]:
    """Yield the modules of a folder that can be loaded again, each after those that it imports."""
    # A module is listed before those that it imports.
    for name, module in reversed(list(sys.modules.items())):
        path = getattr(module, "__file__", None)
        spec = getattr(module, "__spec__", None)
        is_source = isinstance(path, str) and path.endswith(".py") and getattr(spec, "name", None) == name
        if is_source and _imports.has_file(str(path)):
            yield name, module


def _update_module(name: str, module: ModuleType) -> bool:
    """Load a module again if its file is not the one that it was loaded from; return whether it was."""
    from IPython.extensions.autoreload import superreload

    known = _imports.versions.get(name)
    try:
        if known and known.facts == _read_facts(str(module.__file__)):
            return False
        version = _read_version(str(module.__file__))
    except OSError:
        return False
    if known and known.digest == version.digest:
        _imports.versions[name] = version
        return False
    before = dict(vars(module))
    # What was compiled from a file of the same size and second would be taken for this one.
    with suppress(OSError):
        os.unlink(cache_from_source(str(module.__file__)))
    try:
        superreload(module)  # type: ignore[no-untyped-call]
    except BaseException as error:
        # It is as it was, and is loaded again before the next cell.
        vars(module).update(before)
        _imports.versions.pop(name, None)
        if not isinstance(error, Exception):
            raise
        raise ReloadFailed(f"loading {name} again raises {type(error).__name__}: {error}") from None
    _imports.versions[name] = version
    return True


def _read_facts(path: str) -> Tuple[int, ...]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read_version(path: str) -> _Version:
    facts = _read_facts(path)
    with open(path, "rb") as file:
        return _Version(facts, hashlib.sha256(file.read()).digest())
