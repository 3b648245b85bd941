"""Text for a stream that may know few letters and want no colors."""

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
    """Return text that a stream can encode.

    Signs of ours become ASCII; any other letter that the stream lacks becomes its number.

    Parameters
    ----------
    text : str
        The text.
    stream : file, optional
        Where it is to be written; ``sys.stdout`` unless given.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None)
    if not isinstance(encoding, str):
        encoding = "utf-8"
    try:
        return text.encode(encoding, _HANDLER).decode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("ascii", _HANDLER).decode("ascii")


def shows_colors() -> bool:
    """Return whether whoever reads IPython's errors wants colors, and gets them rendered."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    # Where IPython is not loaded, no shell of its shows anything.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if str(getattr(shell, "colors", "")).lower() == "nocolor":
        return False
    return getattr(shell, "kernel", None) is not None or is_terminal(sys.stdout)


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; one that is closed, broken, or not quite a file, is none."""
    try:
        return bool(stream.isatty())
    except Exception:  # noqa: BLE001 - whatever stdout has been replaced by
        return False


def _write_plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in lacking)
    return "".join(plain), error.end


_HANDLER = "primepods_magic.plain"
codecs.register_error(_HANDLER, _write_plainly)
