"""Values that a library keeps in a way of its own: all of each crosses, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic.remote.agent.values import codec


class Berlin(dt.tzinfo):
    """A time zone as pytz makes it: one object for each offset, and no use of `fold`."""

    zone = "Europe/Berlin"

    def __init__(self, minutes: int) -> None:
        self.offset = dt.timedelta(minutes=minutes)

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        """Return the offset, whatever the time."""
        return self.offset


Berlin.__module__ = "pytz.tzfile"


def send(value: Any) -> tuple[Any, dict[str, str]]:
    """What arrives on the other side, and what is not the same there."""
    encoded = codec.encode_value(value, "x")
    return codec.decode_values(*codec.unpack_values(codec.pack_encoded([encoded])))["x"], encoded.notes


@pytest.mark.parametrize("minutes", [60, 120])
def test_a_repeated_hour_of_pytz_is_the_same_moment(minutes: int) -> None:
    back, notes = send(dt.datetime(2021, 10, 31, 2, 30, tzinfo=Berlin(minutes)))
    assert (back.tzinfo.key, back.utcoffset()) == ("Europe/Berlin", dt.timedelta(minutes=minutes))
    assert notes == {}


def test_a_time_of_pytz_without_localize_is_the_same_moment() -> None:
    value = dt.datetime(2021, 1, 1, tzinfo=Berlin(53))
    back, notes = send(value)
    assert back == value
    assert notes == {"x": "has a fixed offset from UTC there"}


def test_columns_of_an_array_that_were_not_chosen_are_not_sent() -> None:
    rows = np.zeros(3, dtype=[("id", "<i8"), ("inner", [("a", "u1"), ("b", "S9")]), ("key", "S9")])
    rows["id"], rows["key"], rows["inner"]["b"] = [1, 2, 3], b"hunter2", b"hunter2"
    for part in (rows[["id"]], rows[["id"]][::-2], rows[["id"]].reshape(3, 1).T, rows[["id"]][1]):
        assert b"hunter2" not in codec.pack_encoded([codec.encode_value(part, "x")])
        back, _ = send(part)
        assert back.dtype == part.dtype
        assert back["id"].tolist() == part["id"].tolist()
    assert send(rows)[0].tolist() == rows.tolist()


def test_memory_between_fields_is_not_sent() -> None:
    inner = np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [0], "itemsize": 16})
    memory = np.frombuffer(b"hunter2+" * 8, np.dtype([("left", inner, (1,)), ("right", inner)]))
    assert b"unter2" not in codec.pack_encoded([codec.encode_value(memory, "x")])
    assert send(memory)[0]["left"]["a"].tolist() == [[ord("h")]] * 2


def test_a_row_of_a_record_array_is_said_to_be_another_type() -> None:
    record = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0]
    back, notes = send(record)
    assert (back.tolist(), notes) == ((1, 2.5), {"x": "is a void there, not a record"})
    assert send(np.zeros(1, [("a", "i4")])[0])[1] == {}


def test_what_pandas_keeps_beside_the_data_is_said_to_be_lost() -> None:
    frame = pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False)
    assert send(frame)[1] == {"x": "allows duplicate labels there"}
    series = pd.Series([1])
    series.attrs["unit"] = "m"
    assert send({"s": series})[1] == {"x['s']": "has no attrs there"}
