"""Dates, times and time zones as descriptions."""

from __future__ import annotations

import datetime
import re
from typing import Any, Callable, Dict, List, Tuple

from .coding import Decoder, Encoder, Node, Reader
from .packing import BadValue

__all__ = ["TIME_READERS", "TIME_WRITERS", "describe_zone", "find_zone", "read_zone"]

_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}\Z")
_FILE = re.compile(r"tzfile\('/(?:[^']*/)?zoneinfo/([^']+)'\)\Z")
_MAX_NAME_CHARS = 64


def describe_zone(encoder: Encoder, zone: Any) -> Node:
    """Describe a time zone: a fixed offset, or a place by its name."""
    if zone is None:
        return None
    if type(zone) is datetime.timezone:
        offset = zone.utcoffset(None)
        name = zone.tzname(None)
        is_named = datetime.timezone(offset).tzname(None) != name
        return ["offset", *_list_parts(offset), encoder.encode(name) if is_named else None]
    root = type(zone).__module__.split(".")[0]
    key = getattr(zone, "key", None) if root in ("zoneinfo", "backports") else None
    key = getattr(zone, "zone", None) if root == "pytz" else key
    if root == "dateutil":
        found = _FILE.match(repr(zone))
        key = found[1] if found else None
    if type(key) is str and _KEY.match(key) and len(key) <= _MAX_NAME_CHARS:
        encoder.need("time zones")
        return ["zone", key]
    if root in ("pytz", "dateutil") and zone.utcoffset(None) is not None:
        return ["offset", *_list_parts(zone.utcoffset(None)), None]
    raise encoder.refuse(f"has a time zone of the type {type(zone).__name__}. Use zoneinfo.ZoneInfo")


def _list_parts(length: datetime.timedelta) -> List[int]:
    return [length.days, length.seconds, length.microseconds]


def read_zone(decoder: Decoder, node: Node) -> Any:
    """Return a time zone."""
    if node is None:
        return None
    if type(node) is not list or not node:
        raise BadValue("not a time zone")
    if node[0] == "offset":
        days, seconds, microseconds, name_node = node[1:]
        offset = datetime.timedelta(*map(_check_int, (days, seconds, microseconds)))
        if name_node is None:
            return datetime.timezone(offset)
        return datetime.timezone(offset, decoder.decode_as(str, name_node))
    return find_zone(read_key(node))


def read_key(node: Node) -> str:
    """Return the name of a time zone; BadValue if it may be a path."""
    if len(node) != 2 or node[0] != "zone" or type(node[1]) is not str:
        raise BadValue("not a time zone")
    if not _KEY.match(node[1]) or len(node[1]) > _MAX_NAME_CHARS:
        raise BadValue("not the name of a time zone")
    return str(node[1])


def find_zone(key: str) -> Any:
    """Return the time zone of a place, of whichever library there is."""
    try:
        from zoneinfo import ZoneInfo
    except ImportError:
        try:
            from backports.zoneinfo import ZoneInfo  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            import dateutil.tz  # type: ignore[import-untyped, unused-ignore]

            zone = dateutil.tz.gettz(key)
            if zone is None:
                raise BadValue(f"no time zone {key} here") from None
            return zone
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError):
        raise BadValue(f"no time zone {key} here; 'pip install tzdata' installs them") from None


def _check_int(value: Any) -> int:
    if type(value) is not int:
        raise BadValue("not an int")
    return value


def _describe_datetime(encoder: Encoder, value: datetime.datetime) -> Node:
    zone = describe_zone(encoder, value.tzinfo)
    if zone and zone[0] == "zone" and type(value.tzinfo).__module__.split(".")[0] in ("pytz", "dateutil"):
        value, zone = _find_same_moment(encoder, value, zone)
    return ["datetime", value.year, value.month, value.day, *_list_clock(value), zone]


def _find_same_moment(encoder: Encoder, value: datetime.datetime, zone: Node) -> Tuple[Any, Node]:
    """Return the time and zone that stand for the same moment: pytz has its own rules for repeated hours."""
    there = find_zone(zone[1])
    for fold in (value.fold, 1 - value.fold):
        if value.replace(tzinfo=there, fold=fold).utcoffset() == value.utcoffset():
            return value.replace(fold=fold), zone
    encoder.note("has a fixed offset from UTC there")
    return value, describe_zone(encoder, datetime.timezone(value.utcoffset() or datetime.timedelta()))


def _describe_time(encoder: Encoder, value: datetime.time) -> Node:
    return ["time", *_list_clock(value), describe_zone(encoder, value.tzinfo)]


def _list_clock(value: Any) -> List[int]:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold]


def _clock_reader(kind: Callable[..., Any], count: int) -> Reader:
    def read_clock(decoder: Decoder, rest: List[Any]) -> Any:
        numbers, fold, zone = rest[:count], rest[count], rest[count + 1]
        return kind(*map(_check_int, numbers), tzinfo=read_zone(decoder, zone), fold=_check_int(fold))

    return read_clock


TIME_WRITERS: Dict[type, Callable[[Encoder, Any], Node]] = {
    datetime.datetime: _describe_datetime,
    datetime.date: lambda encoder, value: ["date", value.year, value.month, value.day],
    datetime.time: _describe_time,
    datetime.timedelta: lambda encoder, value: ["timedelta", *_list_parts(value)],
    datetime.timezone: lambda encoder, value: ["tz", describe_zone(encoder, value)],
}

TIME_READERS: Dict[str, Reader] = {
    "datetime": _clock_reader(datetime.datetime, 7),
    "date": lambda decoder, rest: datetime.date(*map(_check_int, rest)),
    "time": _clock_reader(datetime.time, 4),
    "timedelta": lambda decoder, rest: datetime.timedelta(*map(_check_int, rest)),
    "tz": lambda decoder, rest: read_zone(decoder, rest[0]),
}
