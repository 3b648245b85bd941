"""Words and numbers as they stand in a picture."""

from __future__ import annotations

from primepods_magic.api.text import clean

from .fonts import can_draw

__all__ = ["amount", "plain", "short", "usd"]


def plain(text: object) -> str:
    """Text that is drawn as it is: nothing is read as a formula, and every character can be drawn."""
    said = clean(text)
    drawn = said if said.isascii() else "".join(c if can_draw(c) else "\ufffd" for c in said)
    return drawn.replace("$", r"\$")


def short(text: object, most: int = 24) -> str:
    """The same, without its middle where it is long: beginnings and endings tell names apart."""
    said = clean(text)
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


def usd(value: float) -> str:
    """An amount of money.

    >>> usd(1234.5), usd(0.00421)
    ('1,234.50 USD', '0.0042 USD')
    """
    if 0 < abs(value) < 0.1:
        return f"{value:.2g} USD"
    return f"{value:,.2f} USD"
