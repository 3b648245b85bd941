"""Times as people type them: ``2026-09-01``, ``7d``, ``yesterday``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

from primepods_magic.api.errors import InvalidRequest

__all__ = ["FORMS", "parse_time", "zone"]

FORMS = "2026-09-01, 2026-09-01T14:30, 2026-09, 7d, 12h, 2w, today, yesterday, month or last-month"
"""What `parse_time` reads."""

_AGO = re.compile(r"([0-9]{1,5})([hdw])")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime, where: tzinfo) -> datetime:
    """Read a time.

    Parameters
    ----------
    text : str
        A date or time (ISO 8601), a month, how long ago, or a word; days begin at midnight.
    now : datetime
        The service's time.
    where : tzinfo
        The time zone of what is given without one.

    Raises
    ------
    InvalidRequest
        It is none of these.

    Examples
    --------
    >>> now, utc = datetime.fromisoformat("2026-09-14T08:00:00+00:00"), zone("UTC")
    >>> [parse_time(text, now, utc).isoformat()[:13] for text in ("7d", "today", "last-month", "2026-03")]
    ['2026-09-07T08', '2026-09-14T00', '2026-08-01T00', '2026-03-01T00']
    """
    try:
        found = _read_moment(text, now, where)
        # Zones are ahead of and behind UTC, whose own years begin at 1 and end at 9999.
        found.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"'{text}' is no time; it can be {FORMS}") from None
    return found


def _read_moment(text: str, now: datetime, where: tzinfo) -> datetime:
    word = text.strip().lower()
    ago = _AGO.fullmatch(word)
    if ago:
        # Hours are so long on every day; days ago are at the same time of day.
        counted_in = timezone.utc if ago[2] == "h" else where
        past = now.astimezone(counted_in) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return past.astimezone(where)
    midnight = now.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    first = midnight.replace(day=1)
    words = {
        "now": now,
        "today": midnight,
        "yesterday": _midnight(midnight - timedelta(days=1), where),
        "month": first,
        "last-month": (first - timedelta(days=1)).replace(day=1),
        "year": first.replace(month=1),
    }
    if word in words:
        return words[word]
    said = datetime.fromisoformat(f"{word}-01" if _MONTH.fullmatch(word) else _with_offset(text.strip()))
    return said if said.tzinfo else said.replace(tzinfo=where)


def zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as ``Europe/Berlin``, or by its offset.

    Raises
    ------
    InvalidRequest
        There is none of that name, or no time zone data, on this computer.
    """
    from primepods_magic.frames.time_zones import zone as zone_of

    try:
        return zone_of(name)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _midnight(day: datetime, where: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=where)


def _with_offset(text: str) -> str:
    # Python 3.10 does not know the letter.
    return f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
