"""Patterns for paths, by the rules of `fnmatch` and `glob`; no shell sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from .listing import Entry, list_tree

__all__ = ["PathPattern", "list_matches", "split_pattern"]

_SPECIAL = "*?["
_ANY_FOLDERS = "**"


def split_pattern(path: str) -> tuple[str, str]:
    """Return the folder in front of the first name that is a pattern, and the rest; empty if none is.

    >>> split_pattern("runs/*/log.csv"), split_pattern("*.csv"), split_pattern("/[ab]"), split_pattern("a/b")
    (('runs', '*/log.csv'), ('~', '*.csv'), ('/', '[ab]'), ('a/b', ''))
    """
    names = path.split("/")
    for index, name in enumerate(names):
        if any(char in name for char in _SPECIAL):
            folder = "/".join(names[:index])
            return folder or ("/" if path.startswith("/") else "~"), "/".join(names[index:])
    return path, ""


class PathPattern:
    """A pattern for paths relative to a folder.

    ``**`` stands for any number of folders. With a folder that matches, everything in it does. A hidden name
    matches only what begins with a dot. A name also matches itself, whatever characters it has.

    >>> pattern = PathPattern("**/*.csv")
    >>> [pattern.matches(path) for path in ("a.csv", "b/c/a.csv", "b/.a.csv", "b")]
    [True, True, False, False]
    """

    def __init__(self, text: str) -> None:
        self._parts = [part for part in text.split("/") if part not in ("", ".")]
        self.begin = self._skip_none({0})

    def _skip_none(self, places: Iterable[int]) -> frozenset[int]:
        """Add the places after each ``**`` that stands for no folder."""
        reached = set(places)
        for place, part in enumerate(self._parts):
            if place in reached and part == _ANY_FOLDERS:
                reached.add(place + 1)
        return frozenset(reached)

    def advance(self, places: frozenset[int], name: str) -> frozenset[int]:
        """Return the places in the pattern after one more name, from those before it; empty for no match."""
        reached = set()
        for place in places:
            if place == len(self._parts):
                # It is in a folder that matches. What '**' at the end leaves out is hidden.
                if self._parts[-1:] != [_ANY_FOLDERS]:
                    reached.add(place)
            elif self._parts[place] == _ANY_FOLDERS:
                if not name.startswith("."):
                    reached.add(place)
            elif _matches_name(name, self._parts[place]):
                reached.add(place + 1)
        return self._skip_none(reached)

    def is_end(self, places: frozenset[int]) -> bool:
        """Return whether the whole pattern matches at these places."""
        return len(self._parts) in places

    def matches(self, path: str) -> bool:
        """Return whether a path matches."""
        places = self.begin
        for name in path.split("/"):
            places = self.advance(places, name)
        return self.is_end(places)


def _matches_name(name: str, part: str) -> bool:
    return name == part or (fnmatchcase(name, part) and (part[0] == "." or name[0] != "."))


def list_matches(folder: str, text: str) -> Iterator[Entry]:
    """Yield what matches in a folder, and folders that cannot be read; no other folder is looked into."""
    pattern = PathPattern(text)
    places = {"": pattern.begin}

    def enter(path: str, _: Iterable[str]) -> Callable[[str, bool], bool]:
        here = places.pop(path)

        def is_left_out(below: str, is_folder: bool) -> bool:
            there = pattern.advance(here, below.rpartition("/")[2])
            if is_folder and there:
                places[below] = there
                return False
            return not pattern.is_end(there)

        return is_left_out

    for entry in list_tree(folder, enter):
        if entry.kind == "unreadable" or pattern.matches(entry.path):
            yield entry
