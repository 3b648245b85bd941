"""Breakdowns: numbers that were counted by hand, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from primepods_magic.costs import breakdown, compared, ledger, mapping, pattern, rounded, running
from tests.support.soak import pick

DTYPES = {
    "cost_usd": "Float64",
    "gpu_hours": "Float64",
    "pods": "Int64",
    "share": "Float64",
    "estimated": "boolean",
    "estimated_usd": "Float64",
}


def history(*rows: tuple[str | None, str | None, float], **columns: list[Any]) -> pd.DataFrame:
    """Rows by beginning, end and cost; with one GPU, unless `columns` say otherwise."""
    begin, end, cost = zip(*rows, strict=True) if rows else ((), (), ())
    frame = pd.DataFrame(
        {
            "created_at": pd.to_datetime(list(begin), utc=True, format="ISO8601").astype(
                "datetime64[us, UTC]"
            ),
            "terminated_at": pd.to_datetime(list(end), utc=True, format="ISO8601").astype(
                "datetime64[us, UTC]"
            ),
            "billed_usd": pd.array(cost, dtype="Float64"),
            "gpu_count": pd.array([1] * len(rows), dtype="Int64"),
        }
    )
    return frame.assign(**columns)


def costs(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Rows as plain values, periods as a clock on the wall shows them; missing ones as None."""
    plain = frame[list(columns) or ["period", "cost_usd"]].astype(object)
    if "period" in plain:
        shown = frame["period"].map(lambda at: at.isoformat(), na_action="ignore")
        plain["period"] = shown.astype(object)
    return [
        tuple(None if value is pd.NA or value != value else value for value in row)
        for row in plain.itertuples(index=False, name=None)
    ]


def test_a_night_is_split_at_midnight() -> None:
    frame = breakdown(history(("2026-09-01T22:00Z", "2026-09-02T01:00Z", 12.0), gpu_count=[2]), freq="D")
    assert costs(frame, "period", "cost_usd", "gpu_hours", "pods", "share", "estimated") == [
        ("2026-09-01T00:00:00+00:00", 8.0, 4.0, 1, 1.0, False),
        ("2026-09-02T00:00:00+00:00", 4.0, 2.0, 1, 1.0, False),
    ]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "period": "datetime64[us, UTC]",
        **DTYPES,
    }


@pytest.mark.parametrize(
    ("freq", "begin", "end", "expected"),
    [
        # Clocks jump from 2 to 3: a day of 23 hours.
        (
            "D",
            "2026-03-28T12:00+01:00",
            "2026-03-30T12:00+02:00",
            [
                ("2026-03-28T00:00:00+01:00", 12),
                ("2026-03-29T00:00:00+01:00", 23),
                ("2026-03-30T00:00:00+02:00", 12),
            ],
        ),
        (
            "H",
            "2026-03-29T01:00+01:00",
            "2026-03-29T04:00+02:00",
            [("2026-03-29T01:00:00+01:00", 1), ("2026-03-29T03:00:00+02:00", 1)],
        ),
        # Clocks are put back from 3 to 2: a day of 25 hours, and 2 o'clock comes twice.
        (
            "D",
            "2026-10-24T12:00+02:00",
            "2026-10-26T12:00+01:00",
            [
                ("2026-10-24T00:00:00+02:00", 12),
                ("2026-10-25T00:00:00+02:00", 25),
                ("2026-10-26T00:00:00+01:00", 12),
            ],
        ),
        (
            "H",
            "2026-10-25T01:30+02:00",
            "2026-10-25T03:30+01:00",
            [
                ("2026-10-25T01:00:00+02:00", 0.5),
                ("2026-10-25T02:00:00+02:00", 1),
                ("2026-10-25T02:00:00+01:00", 1),
                ("2026-10-25T03:00:00+01:00", 0.5),
            ],
        ),
        # Sundays end a week, whatever the month.
        (
            "W",
            "2026-05-31T21:00+02:00",
            "2026-06-01T01:00+02:00",
            [("2026-05-25T00:00:00+02:00", 3), ("2026-06-01T00:00:00+02:00", 1)],
        ),
        (
            "M",
            "2026-10-31T12:00+01:00",
            "2026-11-01T12:00+01:00",
            [("2026-10-01T00:00:00+02:00", 12), ("2026-11-01T00:00:00+01:00", 12)],
        ),
        (
            "Q",
            "2026-12-31T18:00+01:00",
            "2027-01-01T12:00+01:00",
            [("2026-10-01T00:00:00+02:00", 6), ("2027-01-01T00:00:00+01:00", 12)],
        ),
        # From the very beginning of a period to its very end is nowhere else.
        ("M", "2026-02-01T00:00+01:00", "2026-03-01T00:00+01:00", [("2026-02-01T00:00:00+01:00", 28 * 24)]),
    ],
)
def test_periods_are_those_of_the_calendar(
    freq: str, begin: str, end: str, expected: list[tuple[str, float]]
) -> None:
    """A dollar an hour, so that what is spent is what has passed."""
    hours = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)) / timedelta(hours=1)
    frame = breakdown(history((begin, end, hours)), freq=freq, tz="Europe/Berlin")
    assert [(period, pytest.approx(usd, abs=1e-9)) for period, usd in expected] == costs(frame)
    assert frame["period"].dtype == pd.DatetimeTZDtype("us", ZoneInfo("Europe/Berlin"))
    assert frame["gpu_hours"].tolist() == frame["cost_usd"].tolist()


@pytest.mark.parametrize(
    ("tz", "freq", "begin", "end", "expected"),
    [
        # Half an hour is skipped, and half an hour comes twice.
        (
            "Australia/Lord_Howe",
            "H",
            "2026-10-04T01:00+10:30",
            "2026-10-04T04:00+11:00",
            [("01:00:00+10:30", 1), ("02:30:00+11:00", 0.5), ("03:00:00+11:00", 1)],
        ),
        (
            "Australia/Lord_Howe",
            "H",
            "2026-04-05T01:00+11:00",
            "2026-04-05T03:00+10:30",
            [("01:00:00+11:00", 1.5), ("02:00:00+10:30", 1)],
        ),
        # A day that never was.
        (
            "Pacific/Apia",
            "D",
            "2011-12-29T12:00-10:00",
            "2011-12-31T12:00+14:00",
            [("00:00:00-10:00", 12), ("00:00:00+14:00", 12)],
        ),
        # Midnight comes twice, and does not come at all.
        (
            "America/Havana",
            "D",
            "2026-10-31T12:00-04:00",
            "2026-11-02T00:00-05:00",
            [("00:00:00-04:00", 12), ("00:00:00-04:00", 25)],
        ),
        (
            "America/Havana",
            "D",
            "2026-03-07T12:00-05:00",
            "2026-03-09T00:00-04:00",
            [("00:00:00-05:00", 12), ("01:00:00-04:00", 23)],
        ),
        (
            "Asia/Kolkata",
            "H",
            "2026-03-01T00:00Z",
            "2026-03-01T01:00Z",
            [("05:00:00+05:30", 0.5), ("06:00:00+05:30", 0.5)],
        ),
    ],
)
def test_clocks_that_do_as_few_clocks_do(
    tz: str, freq: str, begin: str, end: str, expected: list[tuple[str, float]]
) -> None:
    hours = (
        datetime.fromisoformat(end.replace("Z", "+00:00"))
        - datetime.fromisoformat(begin.replace("Z", "+00:00"))
    ) / timedelta(hours=1)
    frame = breakdown(history((begin, end, hours)), freq=freq, tz=tz)
    assert [(at[11:], usd) for at, usd in costs(frame)] == [
        (at, pytest.approx(usd, abs=1e-9)) for at, usd in expected
    ]


def test_groups_are_listed_by_period_then_the_dearest_first_and_missing_ones_are_a_group() -> None:
    rows = history(
        ("2026-09-01T00:00Z", "2026-09-01T01:00Z", 1.0),
        ("2026-09-01T00:00Z", "2026-09-01T01:00Z", 3.0),
        ("2026-09-01T00:00Z", "2026-09-01T01:00Z", 1.0),
        ("2026-09-01T00:00Z", "2026-09-01T01:00Z", 1.0),
        ("2026-08-01T00:00Z", "2026-08-01T01:00Z", 2.0),
        gpu=["B", "A", None, "A2", "A"],
    )
    frame = breakdown(rows, "gpu", freq="M")
    assert frame["gpu"].dtype == "string"
    assert costs(frame, "period", "gpu", "cost_usd", "share") == [
        ("2026-08-01T00:00:00+00:00", "A", 2.0, 1.0),
        ("2026-09-01T00:00:00+00:00", "A", 3.0, 0.5),
        ("2026-09-01T00:00:00+00:00", "A2", 1.0, pytest.approx(1 / 6)),
        ("2026-09-01T00:00:00+00:00", "B", 1.0, pytest.approx(1 / 6)),
        ("2026-09-01T00:00:00+00:00", None, 1.0, pytest.approx(1 / 6)),
    ]
    assert costs(breakdown(rows, "gpu"), "gpu", "cost_usd", "pods", "share")[0] == ("A", 5.0, 2, 0.625)


def test_several_columns_keep_their_dtypes() -> None:
    rows = history(
        *[("2026-09-01T00:00Z", "2026-09-01T01:00Z", cost) for cost in (1.0, 2.0, 4.0)],
        node=[1, 2, 1],
        own=pd.Categorical(["x", "y", "x"]),
    )
    frame = breakdown(rows, ["node", "own", "gpu_count", "created_at"])
    assert costs(frame, "node", "own", "cost_usd") == [(1, "x", 5.0), (2, "y", 2.0)]
    assert [str(dtype) for dtype in frame.dtypes[:4]] == ["int64", "category", "Int64", "datetime64[us, UTC]"]


@pytest.mark.parametrize("freq", [None, "D"])
def test_of_nothing_comes_nothing_with_the_same_columns(freq: str | None) -> None:
    empty = breakdown(history(), ["gpu", pattern("name", "x")], freq=freq)
    full = breakdown(history(("2026-09-01T00:00Z", "2026-09-01T01:00Z", 1.0)), ["gpu", "name"], freq=freq)
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    outside = breakdown(
        history(("2026-09-01T00:00Z", "2026-09-01T01:00Z", 1.0)),
        ["gpu", "name"],
        freq=freq,
        since="2027-01-01",
    )
    assert len(outside) == 0
    pd.testing.assert_series_equal(outside.dtypes, full.dtypes)


def test_what_has_no_length_counts_at_its_instant_and_what_has_no_time_is_undated() -> None:
    rows = history(
        ("2026-09-02T00:00Z", "2026-09-02T00:00Z", 1.0),
        ("2026-09-02T00:00Z", "2026-09-01T00:00Z", 2.0),
        (None, "2026-09-03T00:00Z", 4.0),
        (None, None, 8.0),
    )
    frame = breakdown(rows, freq="D")
    assert costs(frame, "period", "cost_usd", "gpu_hours", "pods") == [
        ("2026-09-02T00:00:00+00:00", 3.0, 0.0, 2),
        ("2026-09-03T00:00:00+00:00", 4.0, 0.0, 1),
        (None, 8.0, 0.0, 1),
    ]
    assert breakdown(rows)["cost_usd"].tolist() == [15.0]
    assert breakdown(rows, until="2026-09-03")["cost_usd"].tolist() == [3.0]
    assert breakdown(rows, since="2026-09-03", freq="M")["cost_usd"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, 24.0),
        ("2026-09-01T12:00Z", None, 12.0),
        (None, date(2026, 9, 1), 0.0),
        (datetime(2026, 9, 1, 2), datetime(2026, 9, 1, 5), 3.0),
        (datetime(2026, 9, 1, 2, tzinfo=timezone.utc), "2026-09-01 05:00", 1.0),
        (pd.Timestamp("2026-09-01"), "2026-09-01", 0.0),
        ("2026-09-01", "2026-09-02", 22.0),
    ],
)
def test_limits(since: Any, until: Any, expected: float) -> None:
    """From midnight to midnight UTC, a dollar an hour; in Berlin it is two hours later."""
    rows = history(("2026-09-01T00:00Z", "2026-09-02T00:00Z", 24.0))
    for freq in (None, "H", "W"):
        frame = breakdown(rows, since=since, until=until, freq=freq, tz="Europe/Berlin" if since else "UTC")
        assert frame["cost_usd"].sum() == pytest.approx(expected, abs=1e-9)
        assert frame["gpu_hours"].sum() == pytest.approx(expected, abs=1e-9)


def test_shares_of_nothing_are_missing() -> None:
    frame = breakdown(history(("2026-09-01T00:00Z", "2026-09-01T01:00Z", 0.0)))
    assert costs(frame, "cost_usd", "share") == [(0.0, None)]


def test_sums_do_not_depend_on_the_order_or_on_large_amounts_beside_small_ones() -> None:
    rows = history(*[("2026-09-01T00:00Z", "2026-09-01T01:00Z", cost) for cost in (1e8, 0.1, -1e8, 0.2)])
    assert breakdown(rows)["cost_usd"].tolist() == [pytest.approx(0.3, abs=1e-15)]
    one = history(("2026-09-01T00:00Z", "2026-09-01T01:00Z", 0.1))
    assert breakdown(one, freq="M")["cost_usd"].tolist() == [0.1]


def test_parts_of_a_line_add_up_to_it_exactly() -> None:
    cost = 1234.56789
    frame = breakdown(history(("2026-01-01T00:00:00.000001Z", "2026-04-11T07:11:13Z", cost)), freq="H")
    assert len(frame) > 2000
    # Each was exact before it was made a float, so that no more than their last bits are lost.
    assert math.fsum(frame["cost_usd"]) == pytest.approx(cost, abs=1e-12)


@pytest.mark.parametrize("until", [None, "2021-03-04T05:06:07Z"])
@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "America/Havana"])
def test_years_of_hours_are_spread_as_months_are(tz: str, until: str | None) -> None:
    lines = [
        (f"2020-0{1 + number % 9}-01T00:{number % 60:02d}:01Z", "2026-09-01T12:30:07Z", 1000 + number / 7)
        for number in range(300)
    ]
    rows = history(
        *lines,
        # An open row is an estimate, and a row without times is behind all periods.
        (None, None, 0.25),
        gpu=[*"ABC" * 100, "A"],
    )
    began_s = time.thread_time()
    hours = breakdown(rows, "gpu", freq="H", tz=tz, until=until)
    assert time.thread_time() - began_s < 5
    months = breakdown(rows, "gpu", freq="M", tz=tz, until=until)
    hours["period"] = month_of(hours["period"])
    months["period"] = month_of(months["period"])
    sums = hours.groupby(["period", "gpu"], dropna=False)[["cost_usd", "gpu_hours"]].sum()
    expected = months.set_index(["period", "gpu"])[["cost_usd", "gpu_hours"]]
    assert (sums - expected).abs().le(1e-7).all(axis=None)
    assert len(sums) == len(expected)
    if until is None:
        assert math.fsum(hours["cost_usd"]) == pytest.approx(
            math.fsum(cost for *_, cost in lines) + 0.25, abs=1e-9
        )


def month_of(periods: pd.Series[Any]) -> pd.Series[Any]:
    return periods.dt.strftime("%Y-%m")


def test_two_parts_of_a_line_are_the_line() -> None:
    """To the last bit: where the first is more than half, what is left of the line is a float."""
    random = Random(0)
    amounts = [random.uniform(0, 1000) for _ in range(pick(80, 300))]
    for cost in amounts:
        frame = breakdown(history(("2026-09-01T03:00:00.000007Z", "2026-09-02T07:00Z", cost)), freq="D")
        assert sum(frame["cost_usd"].tolist()) == cost


def test_many_sums_are_exact() -> None:
    random = Random(0)
    amounts = [random.uniform(0, 1) for _ in range(20_000)]
    rows = history(*[("2026-09-01T00:00Z", "2026-09-01T01:00Z", cost) for cost in amounts])
    (found,) = breakdown(rows)["cost_usd"]
    assert found == math.fsum(amounts)
    (again,) = breakdown(rows.iloc[::-1])["cost_usd"]
    assert again == found


def test_many_groups_are_counted_as_few_are() -> None:
    """More cells than are kept at hand."""
    count = 3000
    rows = history(
        *[("2026-09-01T00:00Z", "2026-09-03T00:00Z", 48.0)] * count,
        name=[f"pod-{number}" for number in range(count)],
    )
    frame = breakdown(rows, "name", freq="H")
    assert len(frame) == count * 48
    assert (frame["cost_usd"].sub(1.0).abs() < 1e-9).all()
    assert set(frame["pods"]) == {1}
    assert frame["name"].head(3).tolist() == ["pod-0", "pod-1", "pod-10"]


def test_labels_by_a_pattern() -> None:
    rows = history(
        *[("2026-09-01T00:00Z", "2026-09-01T01:00Z", cost) for cost in (1.0, 2.0, 4.0, 8.0)],
        name=["llama-train-1", "llama-eval-2", None, "Solo"],
    )
    by = pattern("name", "^([a-z]+)-", "project")
    assert costs(breakdown(rows, by), "project", "cost_usd") == [(None, 12.0), ("llama", 3.0)]
    whole = breakdown(rows, [pattern("name", "train|eval")])
    assert costs(whole, "name", "cost_usd") == [(None, 12.0), ("eval", 2.0), ("train", 1.0)]


def test_labels_by_a_table() -> None:
    rows = history(
        *[("2026-09-01T00:00Z", "2026-09-01T01:00Z", cost) for cost in (1.0, 2.0, 4.0, 8.0, 16.0)],
        name=["llama-train", "llama-whisper", "protein", None, "llama-[x]"],
    )
    projects = {"llama-*": "language", "llama-whisper": "speech", "*": "rest", "llama-[x]": "odd"}
    assert costs(breakdown(rows, mapping("name", projects)), "project", "cost_usd") == [
        ("odd", 16.0),
        ("other", 8.0),
        ("rest", 4.0),
        ("speech", 2.0),
        ("language", 1.0),
    ]
    none = breakdown(rows, mapping("name", {"protein": "bio"}, name="who", other=None))
    assert costs(none, "who", "cost_usd") == [(None, 27.0), ("bio", 4.0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "gpus"}, "by: there is no column 'gpus' (did you mean 'gpu'?)"),
        ({"by": "zzzzzz"}, "by: there is no column 'zzzzzz'"),
        ({"by": pattern("nam", "x")}, "by: there is no column 'nam' (did you mean 'name'?)"),
        ({"by": 3}, "by: 3 is not a column name, a pattern or a mapping"),
        ({"by": [3]}, "by: 3 is not a column name, a pattern or a mapping"),
        ({"by": "estimated"}, "by: cannot group by 'estimated', which is a result of the breakdown"),
        ({"by": ["gpu", pattern("name", "x", "gpu")]}, "by: 'gpu' is given twice"),
        (
            {"freq": "Y"},
            "freq='Y' is not one of H (hour), D (day), W (week), M (month), Q (quarter)",
        ),
        ({"tz": "Europe/Berln"}, "'Europe/Berln' is not a time zone (did you mean 'Europe/Berlin'?)"),
        ({"tz": "../etc"}, "'../etc' is not a time zone"),
        ({"tz": 2}, "2 is not a time zone"),
        ({"since": "yesterdayish"}, "since='yesterdayish' is not a time: "),
        ({"until": 7}, "until=7 is not a time: "),
        ({"until": pd.NaT}, "until=NaT is not a time: "),
        (
            {"since": "2026-09-02", "until": "2026-09-01"},
            "since='2026-09-02' is later than until='2026-09-01'",
        ),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        breakdown(history(("2026-09-01T00:00Z", "2026-09-01T01:00Z", 0.0)), **options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_too_many_rows_of_periods_and_groups_are_refused_before_they_are_made() -> None:
    long = ("2020-01-01T00:00:00Z", "2037-12-31T00:00:00Z", 5.0)
    frame = history(*[long] * 400, name=[f"pod {number}" for number in range(400)])
    for freq in ("H", "h"):
        with pytest.raises(ValueError, match=r"up to 63,\d{3},\d{3} rows.*Use a longer freq"):
            breakdown(frame, "name", freq=freq)
    assert len(breakdown(frame, "name", freq="Q")) == 400 * 72
    assert len(breakdown(frame, "name", freq="H", since="2026-09-01", until="2026-09-02")) == 400 * 24
    # Of many groups that are short each only what is there counts.
    short = [
        (f"2026-01-01T{number % 24:02}:00:00Z", f"2026-01-01T{number % 24:02}:30:00Z", 1.0)
        for number in range(3_000)
    ]
    frame = history(long, *short, name=[str(number) for number in range(3_001)])
    assert len(breakdown(frame, "name", freq="H")) == 157_776 + 3_000


def test_too_many_periods_are_refused() -> None:
    rows = pd.DataFrame(
        {
            "created_at": pd.array(["0900-01-01"], dtype="datetime64[us, UTC]"),
            "terminated_at": pd.array(["2026-09-01"], dtype="datetime64[us, UTC]"),
            "billed_usd": [1.0],
        }
    )
    with pytest.raises(
        ValueError, match=r"9,8\d\d,\d\d\d hours from .* to .*\. Use a longer freq, or since and until"
    ):
        breakdown(rows, freq="H")
    assert breakdown(rows, freq="Q", tz="Europe/Berlin")["cost_usd"].sum() == pytest.approx(1.0, abs=1e-9)
    assert len(breakdown(rows, freq="H", since="2026-08-01")) == 31 * 24


def test_patterns_and_tables_that_are_none() -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        pattern("name", "(")
    with pytest.raises(ValueError, match="must be a mapping from strings to strings"):
        mapping("name", {"a": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("amounts", "digits", "expected"),
    [
        ([1 / 3, 1 / 3, 1 / 3], 2, [0.34, 0.33, 0.33]),
        ([0.125, 0.125, 0.25], 2, [0.13, 0.12, 0.25]),
        ([0.29, 0.29, 0.29], 2, [0.29, 0.29, 0.29]),
        ([-1 / 3, -1 / 3, -1 / 3], 2, [-0.33, -0.33, -0.34]),
        ([2.5, -1.2, 0.4], 0, [3.0, -1.0, 0.0]),
        ([1 / 3, None, 2 / 3], 1, [0.3, None, 0.7]),
        ([0.004, 0.004, 0.004], 2, [0.01, 0.0, 0.0]),
        ([0.996], 2, [1.0]),
        # Halves of a cent, though 4.145 × 100 is a little less.
        ([4.145, 1.145], 2, [4.15, 1.14]),
        ([], 2, []),
    ],
)
def test_rounded_amounts_add_up(
    amounts: list[float | None], digits: int, expected: list[float | None]
) -> None:
    given = pd.DataFrame({"cost_usd": pd.array(amounts, dtype="Float64"), "gpu": ["x"] * len(amounts)})
    before = given.copy()
    frame = rounded(given, digits)
    assert costs(frame, "cost_usd") == [(usd,) for usd in expected]
    assert frame["cost_usd"].dtype == "Float64"
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize("digits", [-1, 10, 1.0, None])
def test_digits_are_few(digits: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number from 0 to 9"):
        rounded(pd.DataFrame({"cost_usd": [1.0]}), digits)


MONTHS = history(
    ("2026-01-10T00:00Z", "2026-01-11T00:00Z", 10.0),
    ("2026-02-10T00:00Z", "2026-02-11T00:00Z", 15.0),
    ("2026-02-10T00:00Z", "2026-02-11T00:00Z", 7.0),
    ("2026-04-10T00:00Z", "2026-04-11T00:00Z", 3.0),
    (None, None, 100.0),
    gpu=["A", "A", None, "A", "A"],
)


def test_running_costs() -> None:
    frame = running(breakdown(MONTHS, "gpu", freq="M"))
    assert costs(frame, "gpu", "cost_usd", "running_usd") == [
        ("A", 10.0, 10.0),
        ("A", 15.0, 25.0),
        (None, 7.0, 7.0),
        ("A", 3.0, 28.0),
        ("A", 100.0, None),
    ]
    backwards = running(breakdown(MONTHS, "gpu", freq="M").iloc[::-1])
    assert backwards["running_usd"].tolist()[::-1][:4] == [10.0, 25.0, 7.0, 28.0]


def test_disks_cost_and_are_no_pods() -> None:
    rows = history(
        ("2026-09-01T00:00Z", "2026-09-03T00:00Z", 4.0), ("2026-09-02T00:00Z", "2026-09-03T00:00Z", 1.0)
    )
    frame = breakdown(rows.assign(type=["Instance", "Disk"]), freq="D")
    assert costs(frame, "cost_usd", "pods") == [(2.0, 1), (3.0, 1)]
    alone = breakdown(rows.assign(type=["Instance", "Disk"]), "type")
    assert costs(alone, "type", "pods") == [("Instance", 1), ("Disk", 0)]
    # What does not say what it is has been a pod always.
    assert costs(breakdown(rows.assign(type=[None, "Instance"])), "pods") == [(2,)]


def test_compared_with_the_month_before() -> None:
    frame = compared(breakdown(MONTHS, "gpu", freq="M", tz="Europe/Berlin"), "M")
    assert costs(frame, "gpu", "cost_usd", "previous_usd", "change_usd", "change") == [
        ("A", 10.0, None, None, None),
        ("A", 15.0, 10.0, 5.0, 0.5),
        (None, 7.0, 0.0, 7.0, None),
        # In March there was nothing any more.
        ("A", 0.0, 15.0, -15.0, -1.0),
        (None, 0.0, 7.0, -7.0, -1.0),
        ("A", 3.0, 0.0, 3.0, None),
        ("A", 100.0, None, None, None),
    ]
    # So the changes add up to that of the total.
    total = compared(breakdown(MONTHS, freq="M", tz="Europe/Berlin"), "M")
    assert frame["change_usd"].sum() == pytest.approx(total["change_usd"].sum())
    assert {str(frame[name].dtype) for name in ("previous_usd", "change_usd", "change")} == {"Float64"}


def test_compared_in_hours_over_the_hour_that_comes_twice() -> None:
    rows = history(("2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00", 4.0))
    frame = compared(breakdown(rows, freq="H", tz="Europe/Berlin"), "H")
    assert costs(frame, "previous_usd") == [(None,), (1.0,), (1.0,), (1.0,)]


def test_trends_of_what_is_none() -> None:
    months = breakdown(MONTHS, freq="M")
    with pytest.raises(ValueError, match="frame has no column period"):
        running(breakdown(MONTHS))
    with pytest.raises(ValueError, match="2026-01-01 00:00:00"):
        compared(months, "W")
    with pytest.raises(ValueError, match="is not one of H"):
        compared(months, "year")
    with pytest.raises(ValueError, match="must hold times with a zone"):
        running(months.assign(period="January"))
    for frame in (running(months.iloc[:0]), compared(months.iloc[:0], "M")):
        assert len(frame) == 0


def test_a_breakdown_of_a_ledger_is_that_of_its_history() -> None:
    pd.testing.assert_frame_equal(breakdown(ledger(MONTHS), "gpu"), breakdown(MONTHS, "gpu"))


def test_importing_the_module_loads_nothing_heavy() -> None:
    code = "import primepods_magic.costs as c, sys; print('pandas' in sys.modules, 'breakdown' in dir(c))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        __import__("primepods_magic.costs", fromlist=["costs"]).nothing  # noqa: B018
