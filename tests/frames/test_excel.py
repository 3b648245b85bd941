"""Excel files: what a spreadsheet shows is what the frame has, and no text acts."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.frames import history_frame, save_frame
from primepods_magic.pods.history.table import HistoryTable
from tests.frames.examples import payload


def sheet_of(frame: pd.DataFrame, folder: Path) -> list[list[Any]]:
    """The cells of the saved file, with the headings."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(save_frame(frame, folder / "frame.xlsx"))
    (sheet,) = book.worksheets
    return [list(cells) for cells in sheet.iter_rows()]


def test_the_awkward_history_is_in_the_sheet(tmp_path: Path) -> None:
    frame = history_frame(HistoryTable.of_rows(payload("12-history-awkward")["data"]))
    headings, *rows = sheet_of(frame, tmp_path)
    assert [cell.value for cell in headings] == list(frame.columns)
    told = pd.DataFrame([[cell.value for cell in row] for row in rows], columns=frame.columns)
    assert told["name"].fillna("").tolist() == frame["name"].fillna("").tolist()
    # Excel has 15 digits, and whole milliseconds.
    assert told["billed_usd"].tolist() == pytest.approx(frame["billed_usd"].tolist(), rel=1e-14)
    assert told["gpu_count"].tolist() == frame["gpu_count"].tolist()
    apart = told["created_at"] - frame["created_at"].dt.tz_localize(None)
    assert apart.abs().max() <= pd.Timedelta("1ms")


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    texts = ['=HYPERLINK("http://x")', "=1+1", "+1", "@a", "#N/A", "#REF!", "007", "a\x1bb\x00"]
    _, *rows = sheet_of(pd.DataFrame({"name": pd.array(texts, "string")}), tmp_path)
    assert [row[0].value for row in rows] == [*texts[:-1], "a\ufffdb\ufffd"]
    assert {row[0].data_type for row in rows} == {"s"}
    ((heading,),) = sheet_of(pd.DataFrame({"=1+1": []}), tmp_path)
    assert heading.data_type == "s"


def test_times_are_local_and_durations_are_hours(tmp_path: Path) -> None:
    begin = datetime(2026, 9, 1, 22, tzinfo=timezone.utc)
    frame = pd.DataFrame(
        {
            "period": pd.DatetimeIndex([begin, None]).tz_convert(ZoneInfo("Europe/Berlin")),
            "duration": pd.array([timedelta(hours=90, seconds=1), None], dtype="timedelta64[us]"),
            "pods": [1, 2],
        }
    )
    _, first, second = sheet_of(frame, tmp_path)
    assert [cell.value for cell in first] == [datetime(2026, 9, 2), timedelta(hours=90, seconds=1), 1]
    assert first[1].number_format == "[h]:mm:ss"
    assert [cell.value for cell in second] == [None, None, 2]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"mine": pd.array(["x" * 40_000], "string")}),
        pd.DataFrame({"mine": pd.Categorical([None, "a\x00"])}),
        pd.DataFrame({"mine": [None, 1, "a"]}),
        pd.DataFrame({"mine": pd.array([None, 2**62], "Int64"), "far": [np.inf, 1e300]}),
        pd.DataFrame(
            {"at": pd.to_datetime(["0001-01-01", "9999-12-31"], utc=True, format="ISO8601").as_unit("us")}
        ),
    ],
    ids=lambda frame: str(list(frame.columns)),
)
def test_any_frame_can_be_written(frame: pd.DataFrame, tmp_path: Path) -> None:
    before = frame.copy()
    rows = sheet_of(frame, tmp_path)
    assert len(rows) == len(frame) + bool(len(frame.columns))
    pd.testing.assert_frame_equal(frame, before)


def test_a_sheet_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frame.xlsx").write_text("earlier")
    with pytest.raises(InvalidRequest, match="cannot hold this frame: it has 1,048,576 rows"):
        sheet_of(pd.DataFrame({"mine": np.zeros(2**20)}), tmp_path)
    assert (tmp_path / "frame.xlsx").read_text() == "earlier"


def test_without_openpyxl_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        NotConfigured, match=r"Excel files need openpyxl: pip install 'primepods_magic\[excel\]'"
    ):
        save_frame(history_frame([]), tmp_path / "history.xlsx")
    assert os.listdir(tmp_path) == []
