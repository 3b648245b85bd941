"""Sanitizing of text from the service before it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from .terminal_screen import render

__all__ = [
    "as_word",
    "brief",
    "clean_message",
    "escape_html",
    "join_first",
    "join_sanitized",
    "name_as_word",
    "replace_surrogates",
    "safe_html",
    "sanitize",
    "sanitize_lines",
    "shorten",
]

# Control characters would move a terminal's cursor, bidirectional ones would turn the text beside a name
# around, lone surrogates cannot be printed, and characters without a shape make names look alike.
_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Joiners are legitimate between characters beyond ASCII: in emoji, Persian and Hindi.
_JOINER = "[\u200c\u200d\ufe0e\ufe0f](?<![^\x00-\x7f\u200c\u200d].)|[\u200c\u200d](?![^\x00-\x7f])"
_ACTS = re.compile(f"[{_UNSAFE}]|{_JOINER}")

_MAX_REASON = 2_000
_MARK = "\ufffd"
_TYPESET = re.compile(r"[$\\]")


def sanitize(text: object) -> str:
    r"""Return text on one line, with marks for control and invisible characters.

    Apply it to everything from the service before it becomes part of a message.

    >>> sanitize("two\nlines \x1b[31mred"), sanitize(None)
    ('two lines �[31mred', '')
    """
    if text is None:
        return ""
    return _ACTS.sub(_MARK, " ".join(str(text).split()))


def brief(text: object) -> str:
    """Return clean text of at most 2,000 characters, such as a reason from the service."""
    return shorten(sanitize(text), _MAX_REASON)


def as_word(text: str | None, otherwise: str = "POD") -> str:
    """Return text that can be pasted into a command, such as an id, else a placeholder.

    >>> as_word("24b59b"), as_word("a; {rm()}")
    ('24b59b', 'POD')
    """
    if not text or not re.fullmatch(r"\w[\w.-]{0,99}", text):
        return otherwise
    # Text that other programs may normalize or not display is not safe to paste.
    is_stable = unicodedata.normalize("NFKC", text) == text == sanitize(text)
    return text if is_stable else otherwise


def name_as_word(name: str | None, otherwise: str = "POD") -> str:
    """Return a name like `as_word`, unless it looks like an id, which may be another pod's.

    >>> name_as_word("train"), name_as_word("24b59b")
    ('train', 'POD')
    """
    return otherwise if name and re.fullmatch(r"[0-9a-fA-F-]{6,}", name) else as_word(name, otherwise)


def join_sanitized(texts: Iterable[object], separator: str = ", ") -> str:
    r"""Clean texts, such as ids, and join them.

    >>> join_sanitized(["a1", "b\n2"])
    'a1, b 2'
    """
    return separator.join(map(brief, texts))


def join_first(texts: Sequence[str], max_texts: int) -> str:
    """Join the first of several texts, and count the others.

    >>> join_first(["a", "b"], 2), join_first(["a", "b", "c"], 1)
    ('a, b', 'a and 2 more')
    """
    more = len(texts) - max_texts
    return ", ".join(texts[:max_texts]) + (f" and {more} more" if more > 0 else "")


def clean_message(text: object) -> str:
    r"""Return text whose lines stay lines, clean otherwise.

    >>> clean_message("no offer fits. The nearest:\n  \x1b[2Jat $2/h")
    'no offer fits. The nearest:\n  �[2Jat $2/h'
    """
    return _ACTS.sub(_MARK, str(text))


def sanitize_lines(text: str) -> str:
    r"""Render text of many lines, such as logs, as a terminal does, clean; tabs stay.

    >>> print(sanitize_lines("\x1b[32mready\x1b[0m\n 10 %\r100 %"))
    ready
    100 %
    """
    return clean_message(render(text))


def shorten(text: str, max_length: int) -> str:
    """Return text of at most a number of characters, with an ellipsis where some are left out.

    >>> shorten("installation", 8)
    'install…'
    """
    return text if len(text) <= max_length else f"{text[: max_length - 1].rstrip()}…"


def safe_html(text: object) -> str:
    r"""Return clean text for HTML.

    Dollar signs and backslashes are wrapped, because front ends typeset mathematics between them.

    >>> safe_html("<b> $2/h")
    '&lt;b&gt; <span>$</span>2/h'
    """
    return escape_html(sanitize(text))


def escape_html(text: str) -> str:
    """Escape clean text for HTML like `safe_html`, but keep its spaces."""
    return _TYPESET.sub(r"<span>\g<0></span>", escape(text))


def replace_surrogates(text: str) -> str:
    r"""Replace lone surrogates with marks: JSON allows them, and Arrow does not.

    >>> replace_surrogates("caf\xe9 \ud83d")
    'café �'
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
