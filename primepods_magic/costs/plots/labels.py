"""Text in plots: fonts, escaping, and numbers."""

from __future__ import annotations

from functools import cache
from typing import Any

from primepods_magic.api.text.sanitize import sanitize

__all__ = [
    "can_draw",
    "count_words",
    "escape_text",
    "font_families",
    "format_number",
    "shorten_label",
    "unescape_text",
]

_DEFAULT_FONT = "DejaVu Sans"  # comes with matplotlib

_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Arial Unicode MS",
)


@cache
def font_families() -> tuple[str, ...]:
    """Return matplotlib's own font, and installed ones for scripts that it lacks."""
    from matplotlib.font_manager import fontManager

    # matplotlib warns on every drawing about fonts that are not installed.
    installed = {font.name for font in fontManager.ttflist}
    return (_DEFAULT_FONT, *(name for name in _FALLBACK_FONTS if name in installed))


@cache
def can_draw(character: str) -> bool:
    """Return whether a font has the character; matplotlib warns about others, and draws empty boxes."""
    return any(font.get_char_index(ord(character)) for font in _load_fonts())


@cache
def _load_fonts() -> tuple[Any, ...]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return tuple(get_font(findfont(FontProperties(family=[name]))) for name in font_families())


def escape_text(text: object) -> str:
    """Escape text so that nothing is a formula, and replace characters that no font has."""
    clean = sanitize(text)
    drawn = clean if clean.isascii() else "".join(c if can_draw(c) else "\ufffd" for c in clean)
    return drawn.replace("$", r"\$")


def unescape_text(label: str) -> str:
    """Return the text of an escaped label."""
    return label.replace(r"\$", "$")


def shorten_label(text: object, max_length: int = 24) -> str:
    """Escape text, and cut the middle of long text: beginnings and endings distinguish names."""
    label = sanitize(text)
    if len(label) > max_length:
        front = max_length // 2
        label = f"{label[:front]}…{label[front - max_length + 1 :]}"
    return escape_text(label)


def format_number(value: float) -> str:
    """Format a number on an axis.

    >>> format_number(12000.0), format_number(0.30000000000000004), format_number(-1500)
    ('12,000', '0.3', '-1,500')
    """
    return f"{value:,.10g}"


def count_words(count: int, noun: str) -> str:
    """Format a number of things.

    >>> count_words(1, "pod"), count_words(1200, "bar")
    ('1 pod', '1,200 bars')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
