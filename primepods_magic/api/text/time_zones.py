"""Time zones by name or by offset."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from primepods_magic.api.validation.suggest import suggest

__all__ = ["has_zone_data", "zone"]

_OFFSET = re.compile(r"(?:UTC)?([+-])([0-9]{1,2})(?::?([0-5][0-9])(?::?([0-5][0-9]))?)?", re.IGNORECASE)


def zone(tz: str | tzinfo) -> tzinfo:
    """Return a time zone by name or offset, such as ``+02:00``; raise ValueError with the nearest name."""
    if isinstance(tz, tzinfo):
        return tz
    if not isinstance(tz, str):
        raise ValueError(f"{tz!r} is not a time zone")
    if tz.upper() == "UTC":
        return timezone.utc
    offset = _fixed_offset(tz)
    if offset is not None:
        return offset
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        return _find_zone(tz)


def _fixed_offset(text: str) -> timezone | None:
    parts = _OFFSET.fullmatch(text)
    if parts is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()[1:])
    length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if length >= timedelta(days=1):
        return None
    return timezone(-length if parts[1] == "-" else length)


def _find_zone(name: str) -> tzinfo:
    """Return the zone of a name in other letter case, or raise an error with a hint."""
    names = available_timezones()
    shown = repr(name if len(name) <= 60 else f"{name[:60]}…")
    if not has_zone_data():
        raise ValueError(f"this computer has no time zone data, so {shown} is unknown: pip install tzdata")
    if name in names:
        raise ValueError(f"the time zone data of {shown} on this computer is damaged: pip install tzdata")
    same = {known.lower(): known for known in names}.get(name.lower())
    if same is not None:
        return zone(same)
    hint = suggest(name[:60], names) or ". Use a name such as UTC, Europe/Berlin or America/New_York"
    raise ValueError(f"{shown} is not a time zone{hint}")


def has_zone_data() -> bool:
    """Return whether this computer, or the package tzdata, has time zone data."""
    # Names with a region come from the data; a few plain names exist without it.
    return any("/" in known for known in available_timezones())
