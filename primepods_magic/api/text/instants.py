"""Times as people read them: in their own time zone; frames and requests keep UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

__all__ = ["format_clock", "format_instant", "format_zone", "get_shown_zone", "in_shown_zone", "use_zone"]

_ABBREVIATION = re.compile(r"[A-Z]{2,5}")

_zone: tzinfo | None = timezone.utc


def use_zone(zone: tzinfo | None) -> None:
    """Show times in a zone from now on; None is this computer's."""
    global _zone
    _zone = zone


def get_shown_zone() -> tzinfo | None:
    """Return the zone that times are shown in; None is this computer's."""
    return _zone


def in_shown_zone(at: datetime, zone: tzinfo | None = None) -> datetime:
    """Convert an instant (UTC if naive) to a zone, by default the one that times are shown in.

    Times at either end of the calendar, which other zones cannot express, stay in UTC.
    """
    # A plain datetime: of pandas' own, `astimezone(None)` has no zone.
    at = datetime.combine(at.date(), at.timetz())
    at = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
    try:
        return at.astimezone(zone or _zone)
    except (OverflowError, OSError, ValueError):
        return at.astimezone(timezone.utc)


def format_instant(at: datetime, zone: tzinfo | None = None) -> str:
    """Format an instant to the minute, by default in the user's zone.

    >>> format_instant(datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc))
    '2026-09-14 08:00 UTC'
    """
    local = in_shown_zone(at, zone)
    return f"{local.isoformat(' ')[:16]} {format_zone(local)}"


def format_clock(at: datetime, *, seconds: bool = False) -> str:
    """Format the time of day of an instant, in the user's zone.

    >>> at = datetime(2026, 9, 14, 8, 0, 31, tzinfo=timezone.utc)
    >>> format_clock(at), format_clock(at, seconds=True)
    ('08:00 UTC', '08:00:31 UTC')
    """
    local = in_shown_zone(at)
    return f"{local:{'%H:%M:%S' if seconds else '%H:%M'}} {format_zone(local)}"


def format_zone(at: datetime) -> str:
    """Return the short name of a time's zone, or its offset if it has none.

    >>> format_zone(datetime(2026, 9, 14, tzinfo=timezone(timedelta(hours=5, minutes=30))))
    'UTC+05:30'
    """
    name = at.tzname() or ""
    if _ABBREVIATION.fullmatch(name):
        return name
    offset = at.utcoffset() or timedelta()
    sign = "-" if offset < timedelta() else "+"
    minutes = abs(offset) // timedelta(minutes=1)
    return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}"


def duration(value: timedelta) -> str:
    """Format a length of time in its two largest units.

    >>> [duration(timedelta(seconds=s)) for s in (11_520, 183_600, 86_400, 119, 45, -5)]
    ['3 h 12 min', '2 d 3 h', '1 d', '1 min 59 s', '45 s', '-5 s']
    """
    seconds = int(abs(value.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        text = f"{days:,} d" + (f" {hours % 24} h" if hours % 24 else "")
    elif hours:
        text = f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    elif minutes:
        text = f"{minutes} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    else:
        text = f"{seconds} s"
    return f"-{text}" if value.total_seconds() <= -1 else text
