"""A frame that is saved and loaded is the frame that it was: rows, values and dtypes."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from pandas.testing import assert_frame_equal

from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.costs.breakdowns import breakdown
from primepods_magic.costs.ledgers import ledger
from primepods_magic.frames import history_frame, load_frame, save_frame
from primepods_magic.pods.history.table import HistoryTable
from tests.frames.examples import payload
from tests.pods.history.test_table import rows
from tests.support.damage import CONTENTS, damage_path

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
    table = HistoryTable.of_rows([{} if value is None else {"shelf": value} for value in values])
    shelf = again(history_frame(table), ending)["shelf"]
    assert shelf.dtype == dtype
    told = [None if pd.isna(value) else value for value in shelf]
    assert told == [value if value is None or dtype != "string" else str(value) for value in values]


@pytest.mark.parametrize("text", ["1_000", "１", "1_0.5"])
@pytest.mark.parametrize("name", ["cost_usd", "gpu_count"])
def test_odd_digits_in_a_file_are_not_a_number(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(f"{name}\n{text}\n", encoding="utf-8")
    assert list(load_frame(path)[name]) == [text]


@pytest.mark.parametrize("ending", ENDINGS)
def test_costs_by_day_come_back(ending: str) -> None:
    lines = ledger(history_frame(HistoryTable.of_rows(payload("12-history-awkward")["data"])))
    for frame in (lines, breakdown(lines, by=["gpu"], freq="D"), breakdown(lines, by=["provider"])):
        assert_frame_equal(again(frame, ending), without_empty(frame) if ending == ".csv" else frame)


def test_what_cannot_be_written_or_read_says_so_in_one_line(tmp_path: Path) -> None:
    frame = history_frame([])
    for path, words in (
        (tmp_path / "history.xls", "does not end in .csv, .parquet or .xlsx"),
        (tmp_path / "history", "does not end in .csv, .parquet or .xlsx"),
        (tmp_path / "no" / "such" / "history.csv", "cannot be written: the folder does not exist"),
        (tmp_path / "no" / "such" / "history.parquet", "cannot be written: the folder does not exist"),
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


def test_an_excel_file_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").touch()
    with pytest.raises(InvalidRequest, match=r"'x\.xlsx' does not end in \.csv or \.parquet"):
        load_frame(tmp_path / "x.xlsx")


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


ZONES = [
    timezone(timedelta(hours=2)),
    timezone(-timedelta(hours=3, minutes=30)),
    timezone(timedelta(hours=2), "a name of its own"),
    timezone(timedelta(0)),
    timezone.utc,
    *map(ZoneInfo, ("Europe/Berlin", "Asia/Kathmandu", "Etc/GMT+3", "EST5EDT", "UTC")),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("tz", ZONES, ids=str)
def test_periods_of_any_zone_come_back(tz: tzinfo, ending: str, tmp_path: Path) -> None:
    begins = pd.DatetimeIndex(["1850-01-01", "2026-03-28", "2026-11-01"]).as_unit("us").tz_localize(tz)
    frame = pd.DataFrame({"period": begins, "began_at": begins, "cost_usd": [1.0, 2.0, 3.0]})
    path = save_frame(frame, tmp_path / f"frame{ending}")
    loaded = load_frame(path) if ending == ".parquet" else load_frame(path, tz=str(tz_named(tz)))
    assert (loaded["period"] == frame["period"]).all()
    assert (loaded["began_at"] == frame["began_at"]).all()
    first = loaded["period"][2]
    assert (first.hour, first.utcoffset()) == (0, tz.utcoffset(datetime(2026, 11, 1)))


def tz_named(tz: tzinfo) -> tzinfo:
    """The zone under a name that `load_frame` takes."""
    return timezone(offset) if (offset := tz.utcoffset(None)) is not None else tz


@pytest.mark.parametrize("ending", ENDINGS)
def test_frames_of_other_kinds_come_back_with_their_values(ending: str, tmp_path: Path) -> None:
    months = pd.period_range("2026-01", periods=2, freq="M")
    for name, frame in {
        "naive": pd.DataFrame({"period": pd.to_datetime(["2026-01-01", "2026-02-01"])}),
        "months": pd.DataFrame({"period": months}),
        "other months": pd.DataFrame({"mine": months}),
        "categories": pd.DataFrame({"gpu": pd.Categorical(["a", "b"]), "gpu_count": pd.Categorical([1, 2])}),
        "numbers as names": pd.DataFrame({0: [1, 2], 1: ["a", "b"]}),
        "no rows": pd.DataFrame({"period": pd.to_datetime([], utc=True), "cost_usd": []}),
        "no columns": pd.DataFrame(index=range(2)),
        "nothing": pd.DataFrame(),
        "one column": pd.DataFrame({"mine": pd.array(["a", None, "b"], "string")}),
    }.items():
        loaded = load_frame(save_frame(frame, tmp_path / f"frame{ending}"))
        assert list(loaded.columns) == [str(column) for column in frame.columns], name
        if not len(frame.columns):
            continue
        assert len(loaded) == len(frame), name
        if name not in ("naive", "months"):
            assert loaded.astype("string").fillna("").to_numpy().tolist() == (
                frame.astype("string").fillna("").to_numpy().tolist()
            ), name


# Any line of text is the head of a table.
TABLES = [(content, ".csv") for content in ("truncated", "text", "json", "deep")]

UNSUITABLE = {
    "two of a name": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "a number and its text": pd.DataFrame([[1, 2]], columns=["1", 1]),
    "levels": pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    "functions": pd.DataFrame({"mine": [len, print]}),
    "complex numbers": pd.DataFrame({"mine": [1j]}),
    "attributes": pd.DataFrame({"mine": [1]}),
    "offsets with seconds": pd.DataFrame(
        {"period": pd.date_range("2026", periods=1, tz=timezone(timedelta(seconds=3)), unit="us")}
    ),
}
UNSUITABLE["attributes"].attrs = {"a": object()}


@pytest.mark.parametrize("name", UNSUITABLE)
@pytest.mark.filterwarnings("ignore:Could not serialize")
def test_a_frame_that_no_file_holds_leaves_the_earlier_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "frame.parquet"
    path.write_text("earlier")
    with pytest.raises(InvalidRequest, match=r"cannot be written|cannot hold this frame") as refused:
        save_frame(UNSUITABLE[name], path)
    assert "\n" not in str(refused.value)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["frame.parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_earlier_file(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"frame{ending}"
    path.write_text("earlier")
    frame = pd.DataFrame({"mine": np.random.default_rng(0).random(10_000)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Of files of a process, as a full disk is of all.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InvalidRequest, match="cannot be written: File too large"):
            save_frame(frame, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_links_and_permissions_stay(ending: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"mine": ["a"]})
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / f"real{ending}", tmp_path / f"link{ending}"
    link.symlink_to(real)
    # Also through a link to a file that is not there yet.
    save_frame(frame, link)
    real.chmod(0o640)
    save_frame(frame, link)
    assert link.is_symlink()
    assert load_frame(link)["mine"].tolist() == ["a"]
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    umask = os.umask(0o027)
    try:
        assert stat.S_IMODE(save_frame(frame, tmp_path / f"new{ending}").stat().st_mode) == 0o640
    finally:
        os.umask(umask)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("folder", "not a plain file"),
        ("pipe", "not a plain file"),
        ("device", "not a plain file"),
        ("loop", "Too many levels"),
        ("dangling", "No such file|the folder does not exist"),
    ],
)
def test_says_what_stands_in_the_place_of_a_file(
    damage: str, reason: str, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"frame{ending}"
    damage_path(path, damage)
    with pytest.raises(InvalidRequest, match=f"cannot be written: ({reason})"):
        save_frame(pd.DataFrame({"mine": ["a"]}), path)
    with pytest.raises(InvalidRequest, match=r"cannot be read: (not a plain|Is a|Too many|No such)"):
        load_frame(path)
    assert os.path.lexists(path)
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", CONTENTS)
def test_says_that_a_file_is_not_a_table(content: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"frame{ending}"
    path.write_bytes(CONTENTS[content])
    if (content, ending) in TABLES:
        assert len(load_frame(path)) <= 1
    else:
        with pytest.raises(InvalidRequest, match=r"frame\.\w+' cannot be read: its content is not valid$"):
            load_frame(path)


def test_a_file_in_a_zone_that_is_unknown_here_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="'Mars' is not a time zone"):
        load_frame(tmp_path / "none.csv", tz="Mars")
    path = tmp_path / "frame.parquet"
    save_frame(pd.DataFrame({"period": pd.date_range("2026", periods=1, tz="Europe/Berlin")}), path)
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from primepods_magic import PodsError\nfrom primepods_magic.frames import load_frame\n"
        f"try: load_frame({str(path)!r})\nexcept PodsError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONTZPATH": ""},
        check=False,
    )
    assert "pip install tzdata" in run.stdout, run.stdout + run.stderr
