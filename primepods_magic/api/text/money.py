"""Money as people read it: amounts to the cent, rates by the hour; frames keep the full numbers."""

from __future__ import annotations

import math
from numbers import Real

__all__ = ["MISSING", "format_about", "format_estimate", "format_money", "format_usd", "format_usd_hr"]

MISSING = "–"

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def format_money(amount: object, currency: object = None) -> str:
    """Format an amount to the cent, below one cent as less than that, with its currency if there is one.

    >>> format_money(1234.5678, "USD"), format_money(0.004, "EUR"), format_money(-3, "SEK"), format_money(0.1)
    ('$1,234.57', '< €0.01', '-3.00 SEK', '0.10')
    """
    value = float(amount) if isinstance(amount, Real) else math.nan
    if math.isnan(value):
        return MISSING
    is_below_cent = 0 < abs(value) < 0.01
    digits = "0.01" if is_below_cent else f"{abs(value):,.2f}"
    code = _format_code(currency) if isinstance(currency, str) else ""
    text = f"{_SIGNS[code]}{digits}" if code in _SIGNS else f"{digits} {code}".rstrip()
    if value < 0:
        return f"> -{text}" if is_below_cent else f"-{text}"
    return f"< {text}" if is_below_cent else text


def format_usd(amount: object) -> str:
    """Format an amount of USD: ``$2.39``, ``< $0.01``, or a dash if it is missing."""
    return format_money(amount, "USD")


def format_usd_hr(rate: object) -> str:
    """Format a rate in USD per hour: ``$2.39/h``, ``< $0.01/h``, or a dash if it is missing."""
    text = format_usd(rate)
    return text if text == MISSING else f"{text}/h"


def format_estimate(amount: object) -> str:
    """Format an estimated amount of USD.

    >>> format_estimate(0.035), format_estimate(0.002)
    ('≈ $0.04', '< $0.01')
    """
    text = format_usd(amount)
    return text if text.startswith("<") else f"≈ {text}"


def format_about(amount: object) -> str:
    """Format an estimated amount of USD in words.

    >>> format_about(0.035), format_about(0.002)
    ('about $0.04', 'less than $0.01')
    """
    text = format_usd(amount)
    return f"less than {text[2:]}" if text.startswith("< ") else f"about {text}"


def _format_code(currency: str) -> str:
    if currency in _SIGNS:
        return currency
    # Not with this module: the greeting of the extension formats money, and must load nothing more.
    from .sanitize import sanitize, shorten

    return shorten(sanitize(currency), 8).upper()
