"""Single values as text; frames keep the full numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.text.instants import duration, format_instant
from primepods_magic.api.text.money import MISSING
from primepods_magic.api.text.sanitize import brief

__all__ = [
    "DISK",
    "MISSING",
    "count_decimals",
    "fixed_number",
    "is_missing",
    "long_time",
    "moment",
    "number",
    "percent",
    "words",
]

DISK = "disk"
"""Label of what has no GPU and no pods, in tables and in plots."""

_HOURS_PER_DAY = 24
_HOURS_PER_YEAR = 8_766


def is_missing(value: Any) -> bool:
    """Return whether a value is ``None``, ``NA``, ``NaT`` or ``NaN``."""
    return value is None or bool(pd.api.types.is_scalar(value) and pd.isna(value))


def number(value: object) -> str:
    """Format a number with at most two decimals.

    >>> number(180.0), number(37.5), number(20000)
    ('180', '37.5', '20,000')
    """
    if is_missing(value) or isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        return words(value)
    if isinstance(value, Integral):
        return f"{int(value):,}"
    digits = f"{float(value):,.2f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def count_decimals(values: Iterable[object], max_decimals: int, scale: int = 1) -> int:
    """Return how many decimals a column of scaled numbers needs: none if all are whole.

    >>> count_decimals([180.0, 37.5, None], 2), count_decimals([180.0, 8], 2), count_decimals([0.1], 1, 100)
    (2, 0, 0)
    """
    numbers = (float(value) * scale for value in values if isinstance(value, Real) and not is_missing(value))
    is_whole = all(round(value, 9).is_integer() for value in numbers if isfinite(value))
    return 0 if is_whole else max_decimals


def fixed_number(value: object, decimals: int, unit: str = "") -> str:
    """Format a number with a fixed number of decimals, so that the points of a column line up.

    >>> fixed_number(37.5, 2), fixed_number(0.004, 2), fixed_number(12.25, 1, " %"), fixed_number(2000.0, 0)
    ('37.50', '< 0.01', '12.2 %', '2,000')
    """
    if is_missing(value) or isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        return words(value)
    amount = float(value)
    digits = f"{abs(amount):,.{decimals}f}{unit}"
    sign = "-" if amount < 0 else ""
    if amount and isfinite(amount) and not float(f"{amount:.{decimals}f}"):
        return f"{'>' if sign else '<'} {sign}{10**-decimals:.{decimals}f}{unit}"
    return sign + digits


def long_time(hours: object) -> str:
    """Format a number of hours in the unit that is easiest to grasp.

    >>> [long_time(hours) for hours in (0.5, 46.31, 312.0, 28_570.22, None)]
    ['30 min', '46.3 h', '13.0 days', '3.3 years', '–']
    """
    if is_missing(hours) or not isinstance(hours, Real):
        return words(hours)
    length = abs(float(hours))
    if length < 1:
        text = f"{length * 60:.0f} min"
    elif length < 2 * _HOURS_PER_DAY:
        text = f"{length:.1f} h"
    elif length < 2 * _HOURS_PER_YEAR:
        text = f"{length / _HOURS_PER_DAY:,.1f} days"
    else:
        text = f"{length / _HOURS_PER_YEAR:,.1f} years"
    return f"-{text}" if float(hours) < 0 else text


def percent(value: object) -> str:
    """Format a percentage.

    >>> percent(42.0)
    '42 %'
    """
    return f"{number(value)} %" if isinstance(value, Real) and not is_missing(value) else words(value)


def moment(value: datetime) -> str:
    """Format a time to the minute; one with a zone is converted to the user's.

    >>> moment(datetime(2026, 9, 14, 8, 0))
    '2026-09-14 08:00'
    """
    return format_instant(value) if value.tzinfo is not None else value.isoformat(" ")[:16]


def words(value: object) -> str:
    """Format any value by its type."""
    if is_missing(value):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, Real):
        return number(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, timedelta):
        return duration(value)
    return brief(value) or MISSING
