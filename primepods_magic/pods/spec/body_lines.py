"""The lines of a body that cannot be parsed, and what a message may show of them.

A line may hold a secret, even one that is broken. So only a line whose field is known, and that holds none,
is repeated in full; of others the key is shown at most.
"""

from __future__ import annotations

import re

from primepods_magic.api.secrets.names import may_hold_secret
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.validation.size_limits import shorten_word

from .fields import FIELD_OF_KEY, SPEC_FIELDS

__all__ = ["BodyLines"]

_MAX_SHOWN_CHARS = 60
_ENV_KEYS = frozenset(key for key, field in FIELD_OF_KEY.items() if field is SPEC_FIELDS["env"])
_KEY = re.compile(r"""\s*(?:- +)*(?:--)?(["']?)([A-Za-z_][\w.-]*)\1""")


class BodyLines:
    """The lines of a body that cannot be parsed."""

    def __init__(self, text: str, first_line: int) -> None:
        # PyYAML ends a line at the same characters.
        self.lines = text.splitlines() or [""]
        self._first_line = first_line

    def find_number(self, index: int) -> int:
        """Return the number of a line as the user counts."""
        return index + self._first_line

    def read_line(self, index: int) -> str:
        return self.lines[index] if index < len(self.lines) else ""

    def find_last_content(self) -> int:
        return next((i for i in reversed(range(len(self.lines))) if self._has_content(i)), 0)

    def find_content_above(self, index: int) -> int | None:
        """Return the nearest line above that is neither blank nor a comment."""
        return next((i for i in range(index - 1, -1, -1) if self._has_content(i)), None)

    def _has_content(self, index: int) -> bool:
        return bool(self.lines[index].strip()) and not self.lines[index].lstrip().startswith("#")

    def is_item(self, index: int) -> bool:
        return self.read_line(index).lstrip().startswith("- ")

    def find_indent(self, index: int) -> int:
        return len(self.read_line(index)) - len(self.read_line(index).lstrip())

    def find_column(self, index: int) -> int:
        """Return the column of the first field in a line, after hyphens of a list."""
        match = re.match(r"\s*(?:- +)*", self.read_line(index))
        return match.end() if match else 0

    def show_line(self, index: int) -> str:
        """Return a line for a message, after a colon, or what is safe to show of it, maybe nothing."""
        line = self.read_line(index)
        key = self._find_key(index)
        if self.is_safe(index):
            shown = " " * self.find_indent(index) + sanitize(line)
            return f": '{shorten(shown, _MAX_SHOWN_CHARS)}'"
        return f": '{shorten_word(key)} …'" if key else ""

    def is_safe(self, index: int) -> bool:
        """Return whether a line can be repeated: its field is known, and nothing in it sounds secret."""
        key = self._find_key(index)
        words = re.findall(r"[A-Za-z_][\w-]*", " ".join(self._list_enclosing(index)))
        return key in FIELD_OF_KEY and not any(map(may_hold_secret, words))

    def _find_key(self, index: int) -> str:
        """Return the key of a line, if that is what its first word is, and not part of a longer secret."""
        line, match = self.read_line(index), _KEY.match(self.read_line(index))
        if match is None or match[2] in FIELD_OF_KEY:
            return match[2] if match else ""
        outer = _KEY.match(self._list_enclosing(index)[0])
        is_inside_secret = outer is None or (may_hold_secret(outer[2]) and outer[2] not in _ENV_KEYS)
        is_own = len(self._list_enclosing(index)) == 1 or not is_inside_secret
        return match[2] if line[match.end() : match.end() + 1] == ":" and is_own else ""

    def _list_enclosing(self, index: int) -> list[str]:
        """Return a line and those above it back to one that is not indented."""
        first = index
        while first > 0 and self.read_line(first)[:1] in ("", " ", "\t", "#"):
            first -= 1
        return self.lines[first : index + 1]
