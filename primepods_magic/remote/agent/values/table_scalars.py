"""Single values of pandas as descriptions: times, lengths of time, periods, intervals, and missing ones."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from .coding import Decoder, Encoder, Node, Reader
from .packing import BadValue
from .times import describe_zone, read_key, read_zone

__all__ = ["SCALAR_READERS", "SCALAR_WRITERS", "check_frequency", "read_pandas_zone"]

_MAX_FREQUENCY_CHARS = 40


def read_pandas_zone(decoder: Decoder, node: Any) -> Any:
    """Return a zone; a name where there is one, for pandas to have its own kind of zone."""
    if type(node) is list and node[:1] == ["zone"]:
        return read_key(node)
    return read_zone(decoder, node)


def check_frequency(text: Any) -> str:
    """Return the name of a frequency; BadValue if it cannot be one."""
    if type(text) is not str or len(text) > _MAX_FREQUENCY_CHARS:
        raise BadValue("not a frequency")
    return text


def _describe_timestamp(encoder: Encoder, value: Any) -> Node:
    encoder.need("pandas")
    return ["timestamp", encoder.encode(value.asm8), describe_zone(encoder, value.tzinfo)]


def _read_timestamp(decoder: Decoder, rest: List[Any]) -> Any:
    import numpy as np
    import pandas as pd

    moment = decoder.decode(rest[0])
    if not isinstance(moment, np.datetime64):
        raise BadValue("not a Timestamp")
    zone = read_pandas_zone(decoder, rest[1])
    stamp = pd.Timestamp(moment)
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _read_timedelta(decoder: Decoder, rest: List[Any]) -> Any:
    import numpy as np
    import pandas as pd

    length = decoder.decode(rest[0])
    if not isinstance(length, np.timedelta64):
        raise BadValue("not a Timedelta")
    return pd.Timedelta(length)


def _describe_period(encoder: Encoder, value: Any) -> Node:
    import pandas as pd

    encoder.need("pandas")
    return ["pperiod", pd.PeriodDtype(value.freq).name[len("period[") : -1], value.ordinal]


def _read_period(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    return pd.Period(ordinal=decoder.decode_as(int, rest[1]), freq=check_frequency(rest[0]))


def _read_interval(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    if rest[2] not in ("left", "right", "both", "neither"):
        raise BadValue("not an Interval")
    return pd.Interval(decoder.decode(rest[0]), decoder.decode(rest[1]), rest[2])


def _constant_writer(tag: str) -> Callable[[Encoder, Any], Node]:
    def describe_constant(encoder: Encoder, value: Any) -> Node:
        encoder.need("pandas")
        return [tag]

    return describe_constant


def _constant_reader(name: str) -> Reader:
    def read_constant(decoder: Decoder, rest: List[Any]) -> Any:
        import pandas as pd

        return getattr(pd, name)

    return read_constant


SCALAR_WRITERS: Dict[str, Callable[[Encoder, Any], Node]] = {
    "Timestamp": _describe_timestamp,
    "Timedelta": lambda encoder, value: ["ptimedelta", encoder.encode(value.asm8)],
    "Period": _describe_period,
    "Interval": lambda encoder, value: [
        "pinterval", encoder.encode(value.left), encoder.encode(value.right), value.closed
    ],
    "NaTType": _constant_writer("nat"),
    "NAType": _constant_writer("na"),
}  # fmt: skip

SCALAR_READERS: Dict[str, Reader] = {
    "timestamp": _read_timestamp,
    "ptimedelta": _read_timedelta,
    "pperiod": _read_period,
    "pinterval": _read_interval,
    "nat": _constant_reader("NaT"),
    "na": _constant_reader("NA"),
}
