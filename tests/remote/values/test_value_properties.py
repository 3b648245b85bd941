"""Any plain value, and any array, comes back as it was."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from primepods_magic.remote.agent.values import codec

from . import value_table

text = st.text(st.characters(codec=None, exclude_categories=[]))
numbers = st.integers() | st.floats() | st.booleans() | st.complex_numbers()
times = st.datetimes() | st.dates() | st.times() | st.timedeltas()
zones = st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), dt.timezone.utc])
zoned = st.datetimes(timezones=zones, allow_imaginary=False)
scalars = st.none() | numbers | text | st.binary() | times | zoned | st.decimals(allow_nan=False) | st.uuids()
hashable = scalars | st.tuples(scalars, scalars) | st.frozensets(scalars, max_size=3)
many = st.lists(st.integers(), min_size=1, max_size=3) | st.lists(st.floats(), min_size=1, max_size=3)
values = st.recursive(
    scalars
    | many.map(lambda each: each * 20)
    | st.lists(text, min_size=1, max_size=3).map(lambda each: each * 20),
    lambda each: (
        st.lists(each, max_size=4)
        | st.tuples(each)
        | st.dictionaries(hashable, each, max_size=4)
        | st.sets(hashable, max_size=4)
    ),
    max_leaves=8,
)
dtypes = (
    st_numpy.scalar_dtypes() | st_numpy.array_dtypes() | st_numpy.unicode_string_dtypes()
    | st_numpy.byte_string_dtypes()
)  # fmt: skip


def send(value: Any) -> Any:
    """What arrives on the other side."""
    data = codec.pack_encoded([codec.encode_value(value, "value")])
    return codec.decode_values(*codec.unpack_values(data))["value"]


@given(values)
def test_plain_values_come_back(value: Any) -> None:
    assert value_table.compare(send(value), value)


@given(st.floats(), st.floats(allow_nan=False))
def test_floats_come_back_to_the_bit(first: float, second: float) -> None:
    back = send([first, second])
    assert math.isnan(first) == math.isnan(back[0])
    assert (second.hex(), math.copysign(1, second)) == (back[1].hex(), math.copysign(1, back[1]))


@given(st_numpy.arrays(dtypes, st_numpy.array_shapes(min_dims=0, min_side=0, max_side=4)), st.data())
def test_arrays_come_back(array: Any, data: st.DataObject) -> None:
    if array.ndim:
        array = array[data.draw(st_numpy.basic_indices(array.shape, allow_ellipsis=False))]
    array = np.asarray(array)
    back = send(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
