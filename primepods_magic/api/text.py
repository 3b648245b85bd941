"""Text from the service, made safe to show."""

from __future__ import annotations

import re
from html import escape

__all__ = ["clean", "clean_lines", "safe_html", "whole_characters"]

# Control characters would move a terminal's cursor, bidirectional overrides would turn the text beside a
# name around, and lone surrogates cannot be printed at all.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_COLOURS = re.compile("\x1b\\[[0-9;]*m")


def clean(text: object) -> str:
    """Text on one line, with a mark in place of every character that would do something; nothing of ``None``.

    >>> clean("two\\nlines \\x1b[31mred")
    'two lines �[31mred'
    """
    if text is None:
        return ""
    return " ".join(_UNSAFE.sub("\ufffd", part) for part in str(text).split())


def clean_lines(text: str) -> str:
    r"""Text of many lines, such as logs, likewise; colours are left out and tabs stay.

    >>> print(clean_lines("\x1b[32mready\x1b[0m\n\x07"))
    ready
    �
    """
    lines = _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(_UNSAFE.sub("\ufffd", part) for part in line.split("\t")) for line in lines)


def safe_html(text: object) -> str:
    """Clean text for HTML. Dollar signs stand apart, for front ends typeset what is between two of them.

    >>> safe_html("<b> $2/h")
    '&lt;b&gt; <span>$</span>2/h'
    """
    return escape(clean(text)).replace("$", "<span>$</span>")


def whole_characters(text: str) -> str:
    r"""The text, with a mark in place of half surrogate pairs: Arrow refuses those, and JSON does not.

    >>> whole_characters("caf\xe9 \ud83d")
    'café �'
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
