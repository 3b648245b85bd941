"""Time zones by name or by offset."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from primepods_magic.api.validation.suggest import suggest

__all__ = ["has_zone_data", "zone"]

_OFFSET = re.compile(r"(?:UTC)?([+-])([0-9]{1,2})(?::?([0-5][0-9])(?::?([0-5][0-9]))?)?", re.IGNORECASE)


def zone(tz: str | tzinfo) -> tzinfo:
    """Return a time zone by its name, or by its offset such as ``+02:00``.

    Raises
    ------
    ValueError
        There is none, or this computer has no time zone data; with the nearest name that there is.
    """
    if isinstance(tz, tzinfo):
        return tz
    if not isinstance(tz, str):
        raise ValueError(f"there is no time zone {tz!r}")
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
    """Return a zone whose name was typed in other letters, or say what is missing."""
    names = available_timezones()
    shown = repr(name if len(name) <= 60 else f"{name[:60]}…")
    if not has_zone_data():
        raise ValueError(
            f"there is no time zone data on this computer, so {shown} is unknown: pip install tzdata"
        )
    if name in names:
        raise ValueError(f"the time zone data of {shown} on this computer is damaged: pip install tzdata")
    same = {known.lower(): known for known in names}.get(name.lower())
    if same is not None:
        return zone(same)
    hint = suggest(name[:60], names) or ". Use a name such as UTC, Europe/Berlin or America/New_York"
    raise ValueError(f"there is no time zone {shown}{hint}")


def has_zone_data() -> bool:
    """Return whether this computer, or the package tzdata, has time zone data."""
    # Regions make up the data; a few plain names may be there without it.
    return any("/" in known for known in available_timezones())
