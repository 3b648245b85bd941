"""Output of a program on a pod as text that is safe to print while it arrives."""

from __future__ import annotations

import codecs
import re

from primepods_magic.api.text.sanitize import clean_message

__all__ = ["StreamText", "clean_escapes"]

# Colors, erasing the rest of a line, and going back on it: what progress bars need.
_KEPT = re.compile(r"(\x1b\[[0-9;:]*m|\x1b\[[0-2]?K|[\r\x08])")
# ECMA-48: control sequences, strings with their terminator, and two-character escapes.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*(?![\[\]PX^_])[0-~])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_MAX_HELD_CHARS = 65_536


class StreamText:
    r"""Decode a stream piece by piece: UTF-8, without escapes that do more than color or redraw a line.

    Characters and escapes that a piece cuts off are completed by the next one.

    >>> stream = StreamText()
    >>> stream.feed(b"caf\xc3"), stream.feed(b"\xa9 \x1b]0;title\x07\x1b[1"), stream.feed(b"mbold")
    ('caf', 'é ', '\x1b[1mbold')
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, is_end: bool = False) -> str:
        """Return the text that can be printed now."""
        text = self._held + self._decoder.decode(data, is_end)
        unfinished = _UNFINISHED.search(text)
        is_held = unfinished is not None and not is_end and len(unfinished[0]) <= _MAX_HELD_CHARS
        self._held = unfinished[0] if unfinished and is_held else ""
        text = text.removesuffix(self._held) if self._held else text
        parts = _KEPT.split(text)
        # Every second part is an escape that is kept.
        parts[::2] = [clean_message(_ESCAPE.sub("", part)) for part in parts[::2]]
        return "".join(parts)


def clean_escapes(text: str) -> str:
    """Return a whole text as `StreamText` would print it."""
    return StreamText().feed(text.encode("utf-8", "replace"), is_end=True)
