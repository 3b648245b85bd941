"""Files that are not sent: those that ``.gitignore`` and ``.podignore`` name, and those of tools."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from pathspec import GitIgnoreSpec

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["IgnoreRules"]

_FILES = (".gitignore", ".podignore")
_ALWAYS = (".git", ".ipynb_checkpoints", "__pycache__")


class IgnoreRules:
    """The rules of a folder, read as it is walked through.

    Those of a folder below override those above it, and ``.podignore`` overrides ``.gitignore``. What is in a
    folder that is ignored cannot be included again, as with git.

    Parameters
    ----------
    folder : str
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._specs: dict[str, GitIgnoreSpec] = {}

    def enter(self, path: str, names: Iterable[str]) -> Callable[[str, bool], bool]:
        """Read the rules of a folder; return what tells whether something in it is ignored."""
        present = set(names)
        lines: list[str] = []
        for name in _FILES:
            if name in present:
                lines += self._read_lines(os.path.join(self._folder, path, name))
        if lines:
            self._specs[path] = GitIgnoreSpec.from_lines(lines)
        return self._check_name if not self._specs else self.is_ignored

    def is_ignored(self, path: str, is_folder: bool) -> bool:
        """Return whether a path is ignored, if the folders above it are not."""
        if self._check_name(path, is_folder):
            return True
        typed = path + "/" if is_folder else path
        above = path
        while above:
            above = above.rpartition("/")[0]
            spec = self._specs.get(above)
            if spec is not None:
                include = spec.check_file(typed[len(above) + 1 if above else 0 :]).include
                if include is not None:
                    return include
        return False

    def is_protected(self, path: str, is_folder: bool) -> bool:
        """Return whether a path, or a folder above it, is ignored."""
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self.is_ignored(each, True) for each in above) or self.is_ignored(path, is_folder)

    def _check_name(self, path: str, is_folder: bool) -> bool:
        return path.rpartition("/")[2] in _ALWAYS

    def _read_lines(self, path: str) -> list[str]:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read().splitlines()
        except OSError as error:
            # Sending what should be ignored could send secrets.
            raise InvalidRequest(
                f"Cannot read {sanitize(path)!r} ({error.strerror}). Nothing was sent"
            ) from None
