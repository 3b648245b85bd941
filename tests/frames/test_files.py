"""A frame that is saved and loaded is the frame that it was: rows, values and dtypes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from pandas.testing import assert_frame_equal

from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.frames import history_frame, load_frame, save_frame
from primepods_magic.frames.costs import breakdown, ledger
from primepods_magic.pods.history.table import HistoryTable
from tests.frames.examples import payload
from tests.pods.history.test_table import rows

ENDINGS = [".csv", ".parquet"]


def again(frame: pd.DataFrame, ending: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        return load_frame(save_frame(frame, Path(folder) / f"frame{ending}"))


def without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """As a CSV file has it: an empty text is none."""
    texts = frame.select_dtypes("string").columns
    return frame.assign(**{name: frame[name].mask(frame[name] == "") for name in texts})


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_awkward_history_comes_back(ending: str) -> None:
    frame = history_frame(HistoryTable.of_rows(payload("12-history-awkward")["data"]))
    expected = without_empty(frame) if ending == ".csv" else frame
    assert_frame_equal(again(frame, ending), expected)
    assert_frame_equal(again(frame.iloc[:0], ending), frame.iloc[:0])
    missing = history_frame(HistoryTable.of_rows([{}, {}]))
    assert_frame_equal(again(missing, ending), missing)


@pytest.mark.parametrize("ending", ENDINGS)
@given(said=rows())
@example(said=[{"name": text} for text in ["a\rb", "a\nb", "a\r\nb", '"', ",", "NA", "null", "007", " x "]])
@example(said=[{"createdAt": "0001-01-01T00:00:00Z", "terminatedAt": "9999-12-31T23:59:59.999999Z"}])
@example(said=[{"createdAt": "9999-12-31T23:59:59Z", "terminatedAt": "0001-01-01T00:00:00Z"}])
@example(said=[{"totalBilledPrice": value} for value in (5e-324, 1.7976931348623157e308, 0.1 + 0.2, -0.0)])
@example(said=[{"gpuCount": 2**62}, {"gpuCount": -(2**62)}, {}])
@example(said=[{"region": "\ud800"}, {"notes": "a\rb"}])
@example(said=[{"region": 2**70}, {"region": "eu"}, {"notes": 2**70}])
def test_any_history_comes_back(ending: str, said: list[dict[str, Any]]) -> None:
    told = json.dumps(said)
    if ending == ".csv":
        # As documented: not every character survives.
        told = told.replace("\\u0000", "")
    frame = history_frame(HistoryTable.of_rows(json.loads(told)))
    declared = list(history_frame([]).columns)
    loaded = again(frame, ending)
    assert list(loaded.columns) == list(frame.columns)
    expected = without_empty(frame) if ending == ".csv" else frame
    assert_frame_equal(loaded[declared], expected[declared], check_exact=True)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["eu", None, "NA"], "string"),
        (["007", "1_000", "eu"], "string"),
        (["007", "08"], "string"),
        ([" 5", "1_000"], "string"),
        (["nan", "inf"], "string"),
        ([1, None, 2**62], "Int64"),
        ([0.1, None, 2.0], "Float64"),
        ([True, None, False], "boolean"),
        (["a", 1, True], "string"),
    ],
)
def test_a_column_beyond_the_documents_comes_back_as_what_it_was(
    values: list[object], dtype: str, ending: str
) -> None:
    table = HistoryTable.of_rows([{} if value is None else {"region": value} for value in values])
    region = again(history_frame(table), ending)["region"]
    assert region.dtype == dtype
    told = [None if pd.isna(value) else value for value in region]
    assert told == [value if value is None or dtype != "string" else str(value) for value in values]


@pytest.mark.parametrize("ending", ENDINGS)
def test_costs_by_day_come_back(ending: str) -> None:
    lines = ledger(history_frame(HistoryTable.of_rows(payload("12-history-awkward")["data"])))
    for frame in (lines, breakdown(lines, by=["gpu"], freq="D"), breakdown(lines, by=["provider"])):
        assert_frame_equal(again(frame, ending), without_empty(frame) if ending == ".csv" else frame)


def test_what_cannot_be_written_or_read_says_so_in_one_line(tmp_path: Path) -> None:
    frame = history_frame([])
    for path, words in (
        (tmp_path / "history.xlsx", "neither"),
        (tmp_path / "history", "neither"),
        (tmp_path / "no" / "such" / "history.csv", "cannot be written: there is no such folder"),
        (tmp_path / "no" / "such" / "history.parquet", "cannot be written: there is no such folder"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            save_frame(frame, path)
    for name, content in (
        ("none.csv", None),
        ("none.parquet", None),
        ("empty.csv", b""),
        ("text.parquet", b"no table"),
        ("bytes.csv", bytes(range(128, 256))),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidRequest, match="cannot be read") as refused:
            load_frame(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_a_column_of_somebody_else_under_a_name_like_ours_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("gpu_count,created_at,is_new,duration\nmany,soon,perhaps,long\n")
    assert load_frame(tmp_path / "other.csv").iloc[0].tolist() == ["many", "soon", "perhaps", "long"]


def test_a_file_that_is_there_is_replaced_and_home_is_known(home: Path) -> None:
    first, second = (
        history_frame(HistoryTable.of_rows([{"id": str(number)} for number in range(count)]))
        for count in (30, 2)
    )
    for ending in ENDINGS:
        assert save_frame(first, f"~/history{ending}") == home / f"history{ending}"
        save_frame(second, f"~/history{ending}")
        assert list(load_frame(f"~/history{ending}")["id"]) == ["0", "1"]


def test_the_frame_that_is_saved_stays_as_it_was() -> None:
    frame = history_frame(HistoryTable.of_rows([{"region": "eu"}, {"region": 1}, {}]))
    before = frame.copy()
    for ending in ENDINGS:
        again(frame, ending)
    assert_frame_equal(frame, before)


def test_without_pyarrow_csv_works_and_parquet_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    save_frame(history_frame([]), tmp_path / "history.csv")
    with pytest.raises(NotConfigured, match="pyarrow"):
        save_frame(history_frame([]), tmp_path / "history.parquet")
    assert os.listdir(tmp_path) == ["history.csv"]


def test_numbers_come_back_to_the_last_bit() -> None:
    prices = np.random.default_rng(7).random(2000) * 10.0 ** np.random.default_rng(8).integers(-9, 9, 2000)
    frame = history_frame(HistoryTable.of_rows([{"totalBilledPrice": price} for price in prices.tolist()]))
    for ending in ENDINGS:
        assert (again(frame, ending)["billed_usd"].to_numpy() == prices).all()
