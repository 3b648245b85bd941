"""Times as people type them: ``2026-09-01``, ``7d``, ``yesterday``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

from primepods_magic.api.errors import InvalidRequest

__all__ = ["FORMS", "parse_time", "zone"]

FORMS = "2026-09-01, 2026-09-01T14:30, 2026-09, 7d, 12h, 2w, today, yesterday, month or last-month"
"""Forms that `parse_time` accepts."""

_AGO = re.compile(r"([0-9]{1,5})([hdw])")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime, tz: tzinfo) -> datetime:
    """Parse a date or time (ISO 8601), a month, an age, or a word; days begin at midnight.

    ``now`` is the service's time, ``tz`` the time zone of a time without one.

    >>> now, utc = datetime.fromisoformat("2026-09-14T08:00:00+00:00"), zone("UTC")
    >>> [parse_time(text, now, utc).isoformat()[:13] for text in ("7d", "today", "last-month", "2026-03")]
    ['2026-09-07T08', '2026-09-14T00', '2026-08-01T00', '2026-03-01T00']
    """
    try:
        moment = _read_moment(text, now, tz)
        # In UTC, a time at either end of the calendar may be out of range.
        moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"Cannot parse time '{text}'. Use {FORMS}") from None
    return moment


def _read_moment(text: str, now: datetime, tz: tzinfo) -> datetime:
    word = text.strip().lower()
    ago = _AGO.fullmatch(word)
    if ago:
        # An hour has the same length every day; days ago are at the same time of day.
        counted_in = timezone.utc if ago[2] == "h" else tz
        past = now.astimezone(counted_in) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return past.astimezone(tz)
    midnight = now.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    first = midnight.replace(day=1)
    words = {
        "now": now,
        "today": midnight,
        "yesterday": _find_midnight(midnight - timedelta(days=1), tz),
        "month": first,
        "last-month": (first - timedelta(days=1)).replace(day=1),
        "year": first.replace(month=1),
    }
    if word in words:
        return words[word]
    parsed = datetime.fromisoformat(f"{word}-01" if _MONTH.fullmatch(word) else _replace_z(text.strip()))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=tz)


def zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as ``Europe/Berlin``, or its offset, or raise InvalidRequest."""
    from primepods_magic.api.text.time_zones import zone as zone_of

    try:
        return zone_of(name)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _find_midnight(day: datetime, tz: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=tz)


def _replace_z(text: str) -> str:
    # Python 3.10 does not accept the letter.
    return f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
