"""Which fonts there are, and whether one of them has a character."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["can_draw", "families"]

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
