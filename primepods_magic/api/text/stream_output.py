"""Output for streams with a limited character set or without color."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Any

__all__ = ["is_terminal", "printable", "shows_colors"]

_PLAIN = {
    "×": "x",
    "·": "-",
    "…": "...",
    "–": "-",
    "—": "-",
    "→": "->",
    "─": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "•": "*",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "€": "EUR ",
    "£": "GBP ",
    "\N{NO-BREAK SPACE}": " ",
    "\N{REPLACEMENT CHARACTER}": "?",
}


def printable(text: str, stream: Any = None) -> str:
    """Return text that a stream (``sys.stdout`` by default) can encode.

    Our symbols become ASCII; other characters become escapes.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None)
    if not isinstance(encoding, str):
        encoding = "utf-8"
    try:
        return text.encode(encoding, _HANDLER).decode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("ascii", _HANDLER).decode("ascii")


def shows_colors() -> bool:
    """Return whether IPython's errors are shown in color."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    # Without IPython, no shell shows errors.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if str(getattr(shell, "colors", "")).lower() == "nocolor":
        return False
    return getattr(shell, "kernel", None) is not None or is_terminal(sys.stdout)


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; a closed or broken one is not."""
    try:
        return bool(stream.isatty())
    except Exception:  # noqa: BLE001 - stdout may be any replacement
        return False


def _write_plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in lacking)
    return "".join(plain), error.end


_HANDLER = "primepods_magic.plain"
codecs.register_error(_HANDLER, _write_plainly)
