"""Rows read as columns are what they are when read one by one, and come back from their packing exactly."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pydantic.alias_generators import to_camel

from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS, read_undocumented
from primepods_magic.api.models import HistoryRow
from primepods_magic.api.text.sanitize import replace_surrogates
from primepods_magic.frames import history_frame
from primepods_magic.frames.tables.history import HISTORY
from primepods_magic.pods.history.serialization import pack_table, unpack_table
from primepods_magic.pods.history.table import (
    COUNTS,
    MISSING,
    NUMBERS,
    TEXTS,
    TIMES,
    UNREADABLE,
    HistoryTable,
    microseconds,
)
from tests.frames.examples import payload

FIELDS = (*TEXTS, *TIMES, *NUMBERS, *COUNTS)

# Half surrogate pairs included: JSON has them.
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
NUMBER = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([2**53 + 1, 2**63, -(2**63), 1e308])
)
TIME = st.one_of(
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}+00:00"),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.from_regex(r"\A[0-9+ -]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]\Z").map(
        lambda text: f"{text}Z"
    ),
    st.from_regex(r"\A20[0-9]{2}-1[0-2]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9][0-9:+.Z -]{7}\Z").map(
        lambda text: f"{text}Z"
    ),
)
VALUE = st.one_of(
    st.none(),
    st.booleans(),
    NUMBER,
    TEXT,
    TIME,
    st.sampled_from(["", " 1 ", "1_0", "0x1", "nan", "Infinity", "1e400", "true", "2026-02-30T00:00:00Z"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(TEXTS, TEXT),
    **dict.fromkeys(TIMES, TIME),
    **dict.fromkeys(NUMBERS, NUMBER),
    **dict.fromkeys(COUNTS, NUMBER),
}
EXTRAS = st.dictionaries(
    st.sampled_from(["region", "isSpot", "apiToken", "notes", "state", "envVars", "secretKey"]), VALUE
)


def rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows as the service might send them: mostly of the right types, and any JSON at all."""
    fields = {to_camel(name): st.one_of(PLAIN[name], VALUE) for name in FIELDS}
    whole = {to_camel(name): PLAIN[name] for name in FIELDS}
    one = st.one_of(st.fixed_dictionaries(whole), st.fixed_dictionaries({}, optional=fields))
    return st.lists(st.tuples(one, EXTRAS).map(lambda pair: {**pair[1], **pair[0]}), max_size=5)


def cells(frame: pd.DataFrame, name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in frame[name]]


COLUMNS = {column.name: field for column in HISTORY if (field := str(column.read or column.name)) in FIELDS}


@given(rows())
@example([{"totalBilledPrice": "-$12.50", "priceHr": "$2/h", "provisionedBy": "Nan", "gpuName": "Nan"}])
@example([{"gpuCount": -1}, {"gpuCount": 10**7}, {"priceHr": -0.5}, {"totalBilledPrice": 5e-324}])
@example([{"name": 1}, {"name": True}, {"name": 1.0}, {"name": "1"}])
@example([{"createdAt": "0000-01-01T00:00:00Z", "terminatedAt": "2026-06-30T23:59:60Z"}])
@example([{"createdAt": " 026-01-01T00:00:00Z", "terminatedAt": "-026-01-01T00:00:00Z"}])
@example([{"createdAt": "2026-11-01T00:00+0100Z", "terminatedAt": "2026-11-01T00:00:00+01Z"}])
def test_every_field_is_read_as_the_model_reads_it(said: list[dict[str, Any]]) -> None:
    models = [HistoryRow.model_validate(row) for row in json.loads(json.dumps(said))]
    frame = history_frame(HistoryTable.of_rows(json.loads(json.dumps(said))))
    assert len(frame) == len(models)
    for column, field in COLUMNS.items():
        expected = [getattr(model, field) for model in models]
        if field in TEXTS:
            expected = [text if text is None else replace_surrogates(text) for text in expected]
        assert cells(frame, column) == expected, column
    assert not {"api_token", "env_vars", "secret_key"} & set(frame.columns)
    for name in ("region", "is_spot", "notes"):
        if name in frame:
            told = [(model.model_extra or {}).get(to_camel(name)) for model in models]
            shown = [read_undocumented(name, value) for value in told]
            assert all(_same(a, b) for a, b in zip(frame[name], shown, strict=True))


def _same(a: object, b: object) -> bool:
    both_nan = isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)
    return both_nan or (type(a) is type(b) and a == b)


@given(rows())
@example([{"type": math.nan}])
def test_rows_and_models_make_the_same_frame(said: list[dict[str, Any]]) -> None:
    of_rows = history_frame(HistoryTable.of_rows(json.loads(json.dumps(said))))
    of_models = history_frame([HistoryRow.model_validate(row) for row in said])
    # A model does not tell how a value was written.
    assert_frame_equal(of_rows.drop(columns="remarks"), of_models.drop(columns="remarks"))


@given(rows())
def test_what_is_packed_comes_back_exactly(said: list[dict[str, Any]]) -> None:
    table = HistoryTable.of_rows(said)
    again = unpack_table(pack_table(table))
    assert again.columns.keys() == table.columns.keys()
    for name, values in table.columns.items():
        assert again.columns[name].dtype == values.dtype
        assert again.columns[name].tobytes() == values.tobytes() if values.dtype != object else True
        assert list(map(repr, again.columns[name])) == list(map(repr, values))
    assert again.marks.tolist() == table.marks.tolist()
    assert {name: list(map(repr, values)) for name, values in again.extras.items()} == {
        name: list(map(repr, values)) for name, values in table.extras.items()
    }


@given(rows(), st.data())
def test_parts_that_are_joined_are_the_whole(said: list[dict[str, Any]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(said)))
    told = json.dumps(said)
    whole = history_frame(HistoryTable.of_rows(json.loads(told)))
    parts = [HistoryTable.of_rows(json.loads(told)[:cut]), HistoryTable.of_rows(json.loads(told)[cut:])]
    joined = history_frame(HistoryTable.concatenate(parts))
    assert_frame_equal(joined[sorted(joined)], whole[sorted(whole)])


def test_awkward_rows_are_kept_and_marked() -> None:
    said = payload("12-history-awkward")["data"]
    frame = history_frame(HistoryTable.of_rows(json.loads(json.dumps(said))))
    assert list(frame["id"]) == [row["id"] for row in said]
    remarks = dict(zip(frame["name"], frame["remarks"], strict=True))
    assert "open" in remarks["still listed as open"]
    assert "no time between" in remarks["zero seconds"]
    assert "ends before it begins" in remarks["clock skew"]
    assert {"no name", "time without a zone", "no pod"} <= set(remarks[""].split(", "))
    assert pd.isna(remarks["DST night"])
    assert frame["billed_usd"].tolist()[2] == 0.30000000000000004
    assert frame.loc[frame["name"] == "DST night", "duration"].tolist() == [pd.Timedelta(hours=1)]
    assert frame.dtypes.astype(str).to_dict() == DTYPES


DTYPES = {column.name: column.dtype for column in HISTORY}


@pytest.mark.parametrize("said", [[], [{}], [{"gpuCount": "many", "createdAt": "soon", "priceHr": "free"}]])
def test_dtypes_do_not_depend_on_the_values(said: list[dict[str, Any]]) -> None:
    table = HistoryTable.of_rows(said)
    assert all(mark == UNREADABLE for mark in table.marks if said[0])
    assert history_frame(table).dtypes.astype(str).to_dict() == DTYPES


def test_of_several_rows_of_one_id_the_last_stays_and_rows_without_an_id_are_all_there() -> None:
    said = [
        {"id": "a", "priceHr": 1.0},
        {"id": None},
        {"id": ""},
        {"id": "a", "priceHr": 2.0},
        {"id": ""},
        {},
    ]
    table = HistoryTable.of_rows(said).drop_duplicates()
    assert table.columns["id"].tolist() == [None, "", "a", "", None]
    assert table.columns["price_hr"][2] == 2.0


def test_a_moment_in_microseconds_is_what_numpy_has() -> None:
    moment = pd.Timestamp("2026-09-01T12:34:56.789012Z")
    assert microseconds(moment.to_pydatetime()) == moment.as_unit("us").asm8.view("int64")
    assert np.int64(MISSING) == np.datetime64("NaT", "us").view("int64")


def test_undocumented_fields_beyond_a_number_of_them_are_counted() -> None:
    many = {f"x{n}": n for n in range(MAX_FIELDS + 3)}
    pages = [[{"id": "a", **many}, {"id": "b", "x1": 1}], [{"id": "c", "y": 1, "x2": 2}], [{"id": "d"}]]
    table = HistoryTable.concatenate([HistoryTable.of_rows(json.loads(json.dumps(page))) for page in pages])
    assert list(table.extras) == [*(f"x_{n}" for n in range(MAX_FIELDS)), FIELDS_LEFT_OUT]
    assert table.extras[FIELDS_LEFT_OUT].tolist() == [3, None, 1, None]
    assert table.extras["x_2"].tolist() == [2, None, 2, None]
    again = unpack_table(pack_table(table))
    assert again.extras[FIELDS_LEFT_OUT].tolist() == [3, None, 1, None]
    assert FIELDS_LEFT_OUT in history_frame(table)
