"""Single values as text; frames keep the full numbers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import MISSING
from primepods_magic.api.text.sanitize import brief

__all__ = ["MISSING", "duration", "is_missing", "moment", "number", "percent", "words"]


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


def percent(value: object) -> str:
    """Format a percentage.

    >>> percent(42.0)
    '42 %'
    """
    return f"{number(value)} %" if isinstance(value, Real) and not is_missing(value) else words(value)


def moment(value: datetime) -> str:
    """Format a time to the minute.

    >>> moment(datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc))
    '2026-09-14 08:00 UTC'
    """
    if value.tzinfo is None:
        return value.isoformat(" ")[:16]
    return value.astimezone(timezone.utc).isoformat(" ")[:16] + " UTC"


def duration(value: timedelta) -> str:
    """Format a length of time in its two largest units.

    >>> [duration(timedelta(seconds=s)) for s in (11_520, 183_600, 86_400, 45, -5)]
    ['3 h 12 min', '2 d 3 h', '1 d', '45 s', '-5 s']
    """
    seconds = int(abs(value.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        text = f"{days:,} d" + (f" {hours % 24} h" if hours % 24 else "")
    elif hours:
        text = f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    else:
        text = f"{minutes} min" if minutes else f"{seconds} s"
    return f"-{text}" if value.total_seconds() <= -1 else text


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
