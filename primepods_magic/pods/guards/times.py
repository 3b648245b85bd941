"""Lengths of time and ends as people type them: ``4h``, ``1h30m``, ``18:00``, ``tomorrow 9:00``."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone, tzinfo

from primepods_magic.api.text.instants import format_instant, get_shown_zone
from primepods_magic.api.text.time_zones import zone

__all__ = ["END_FORMS", "SPAN_FORMS", "describe_end", "parse_end", "parse_seconds", "parse_span"]

SPAN_FORMS = "a length of time such as 30m, 4h, 1h30m or 2d"
END_FORMS = "a time such as 18:00, 'tomorrow 9:00', '2026-12-01 18:00' or '18:00 Europe/Paris'"

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(d|days?|h|hrs?|hours?|m|min|minutes?|s|sec|seconds?)(?![a-z])")
_UNIT_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_MAX_S = 366 * 86_400.0
_CLOCK = re.compile(r"(?:(today|tomorrow) +)?([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?")
_DAY = timedelta(days=1)


def parse_span(text: object) -> float:
    """Return a length of time in seconds; raise ValueError unless it is above 0 and at most a year.

    >>> parse_span("1h30m"), parse_span("2 days"), parse_span("90s")
    (5400.0, 172800.0, 90.0)
    """
    if isinstance(text, timedelta):
        seconds = text.total_seconds()
    else:
        words = text.strip().lower() if isinstance(text, str) else ""
        parts = _PART.findall(words)
        if not parts or _PART.sub("", words).strip():
            raise ValueError(f"not {SPAN_FORMS}")
        seconds = math.fsum(float(number) * _UNIT_S[unit[0]] for number, unit in parts)
    if not 0 < seconds <= _MAX_S:
        raise ValueError("not above 0 and at most a year")
    return seconds


def parse_seconds(given: object) -> float:
    """Return a length of time in seconds, which may be given as such; raise ValueError as `parse_span`.

    >>> parse_seconds(90), parse_seconds("4h")
    (90.0, 14400.0)
    """
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    return parse_span(f"{given}s" if is_number else given)


def parse_end(text: str, now: datetime) -> datetime:
    """Return the end that a text names, in UTC; raise ValueError if it is not in the future, within a year.

    A time of day is its next occurrence. A time without a zone is in the zone that times are shown in.

    >>> now = datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc)
    >>> [parse_end(text, now).isoformat()[:16] for text in ("18:00", "tomorrow 9:00", "7:00 UTC")]
    ['2026-09-14T18:00', '2026-09-15T09:00', '2026-09-15T07:00']
    """
    moment = _read_end(text.strip(), now)
    if not timedelta() < moment - now <= timedelta(seconds=_MAX_S):
        when = "in the past" if moment <= now else "more than a year away"
        raise ValueError(f"{when}: it is {format_instant(now)} now")
    return moment


def _read_end(text: str, now: datetime) -> datetime:
    clock, place = text, get_shown_zone()
    words, _, last = text.rpartition(" ")
    if words and not last[0].isdigit():
        clock, place = words, zone(last)
    match = _CLOCK.fullmatch(clock.lower())
    try:
        if match is None:
            moment = datetime.fromisoformat(clock[:-1] + "+00:00" if clock.endswith(("Z", "z")) else clock)
            if ":" not in clock:
                raise ValueError
            return _to_utc(moment, place)
        local = now.astimezone(place)
        day = local.date() + (_DAY if match[1] == "tomorrow" else timedelta())
        hour, minute, second = (int(part or 0) for part in match.groups()[1:])
        moment = datetime(day.year, day.month, day.day, hour, minute, second)
    except (ValueError, OverflowError):
        raise ValueError(f"not {END_FORMS}") from None
    # When clocks are set back, one time of day comes twice.
    times = [moment, moment.replace(fold=1)] + ([] if match[1] else [moment + _DAY])
    ends = [_to_utc(each, place) for each in times]
    return next((end for end in ends if end > now), ends[0])


def _to_utc(moment: datetime, place: tzinfo | None) -> datetime:
    """Convert a time, which is in a zone, or on this computer, unless it has its own."""
    # The offset of a zone depends on the day, that of this computer as well.
    return (moment if moment.tzinfo or not place else moment.replace(tzinfo=place)).astimezone(timezone.utc)


def describe_end(at: datetime) -> str:
    """Return an end in the zone that times are shown in, and in UTC if that is another one.

    >>> describe_end(datetime(2026, 9, 14, 18, 0, tzinfo=timezone.utc))
    '2026-09-14 18:00 UTC'
    """
    local, utc = format_instant(at), format_instant(at, timezone.utc)
    return local if local == utc else f"{local} ({utc[11:] if local[:10] == utc[:10] else utc})"
