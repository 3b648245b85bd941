"""Text in a plot: fonts that have its characters, and numbers as labels."""

from __future__ import annotations

from functools import cache
from typing import Any

from primepods_magic.api.text.sanitize import sanitize

__all__ = ["amount", "can_draw", "families", "plain", "short"]

_FIRST = "DejaVu Sans"  # comes with matplotlib

_WIDE = (
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
def families() -> tuple[str, ...]:
    """matplotlib's own font, and those installed that know the scripts it does not."""
    from matplotlib.font_manager import fontManager

    # Asking for a font that is not there would be warned about on every drawing.
    installed = {font.name for font in fontManager.ttflist}
    return (_FIRST, *(name for name in _WIDE if name in installed))


@cache
def can_draw(character: str) -> bool:
    """Whether a font has the character; what none has would be warned about, and be an empty box."""
    return any(font.get_char_index(ord(character)) for font in _fonts())


@cache
def _fonts() -> tuple[Any, ...]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return tuple(get_font(findfont(FontProperties(family=[name]))) for name in families())


def plain(text: object) -> str:
    """Text that is drawn as it is: nothing is read as a formula, and every character can be drawn."""
    said = sanitize(text)
    drawn = said if said.isascii() else "".join(c if can_draw(c) else "\ufffd" for c in said)
    return drawn.replace("$", r"\$")


def short(text: object, most: int = 24) -> str:
    """The same, without its middle where it is long: beginnings and endings tell names apart."""
    said = sanitize(text)
    if len(said) > most:
        front = most // 2
        said = f"{said[:front]}…{said[front - most + 1 :]}"
    return plain(said)


def amount(value: float) -> str:
    """A number on an axis.

    >>> amount(12000.0), amount(0.30000000000000004), amount(-1500)
    ('12,000', '0.3', '-1,500')
    """
    return f"{value:,.10g}"
