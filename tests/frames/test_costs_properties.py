"""What holds of every breakdown: nothing is lost, nothing is invented, and order does not matter."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from primepods_magic.costs import breakdown, compared, mapping, pattern, rounded, running
from tests.support import soak

UTC = timezone.utc
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana"]
FREQUENCIES = ["H", "D", "W", "M", "Q"]
FIRST, LAST = datetime(2026, 2, 20), datetime(2026, 11, 20)
# Around the nights in which clocks are changed, and the ends of months.
INSTANTS = st.one_of(
    st.datetimes(FIRST, LAST),
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30)),
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26)),
    st.sampled_from([datetime(2026, 3, 1), datetime(2026, 7, 1), datetime(2026, 6, 30, 22)]),
)
AMOUNTS = st.one_of(
    st.integers(0, 10**6).map(lambda number: number / 10**4),
    st.floats(-100, 100, allow_nan=False),
    st.sampled_from([0.0, 0.1, 1e6, -1e6, 1e-9]),
)
LIMITS = st.none() | INSTANTS
EXAMPLES = settings(max_examples=soak.pick(8, 1000))

Row = tuple[datetime | None, datetime | None, float, int | None, str | None, str | None]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    def row() -> Row:
        begin = draw(st.none() | INSTANTS) if draw(st.integers(0, 9)) == 0 else draw(INSTANTS)
        hours = draw(st.floats(-1, 100) | st.sampled_from([0.0, 24.0, 1500.0]))
        end = None if draw(st.integers(0, 9)) == 0 else (begin or FIRST) + timedelta(hours=hours)
        gpu, name = draw(st.sampled_from(["A", "B", None])), draw(st.sampled_from(["x-1", "y-2", "z", None]))
        return begin, end, draw(AMOUNTS), draw(st.none() | st.integers(0, 8)), gpu, name

    return [row() for _ in range(draw(st.integers(0, 12)))]


def ledger_of(given_rows: list[Row]) -> pd.DataFrame:
    begin, end, cost, gpus, gpu, name = zip(*given_rows, strict=True) if given_rows else ((),) * 6
    return pd.DataFrame(
        {
            "begin_at": pd.array(
                [at and at.replace(tzinfo=UTC) for at in begin], dtype="datetime64[us, UTC]"
            ),
            "end_at": pd.array([at and at.replace(tzinfo=UTC) for at in end], dtype="datetime64[us, UTC]"),
            "cost_usd": pd.array(cost, dtype="Float64"),
            "gpu_count": pd.array(gpus, dtype="Int64"),
            "gpu": pd.array(gpu, dtype="string"),
            "name": pd.array(name, dtype="string"),
            "estimated": pd.array([number % 3 == 0 for number in range(len(cost))], dtype="boolean"),
        }
    )


def gpu_hours(row: Row) -> float:
    begin, end, _, gpus, _, _ = row
    return max((end - begin) / timedelta(hours=1), 0.0) * (gpus or 0) if begin and end else 0.0


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)


BYS = st.sampled_from(
    [
        (),
        ("gpu",),
        ("gpu", "name"),
        ("gpu_count", "gpu"),
        (pattern("name", "^[a-z]"),),
        (mapping("name", {"x*": "X", "z": "Z"}), "gpu", "begin_at"),
    ]
)


@given(rows(), BYS, st.sampled_from([None, *FREQUENCIES]), st.sampled_from(ZONES))
@EXAMPLES
def test_nothing_is_lost(given_rows: list[Row], by: Any, freq: str | None, tz: str) -> None:
    frame = breakdown(ledger_of(given_rows), by, freq=freq, tz=tz)
    # The sum of floats has to be as exact as what it checks.
    assert close(math.fsum(frame["cost_usd"]), math.fsum(row[2] for row in given_rows))
    assert close(math.fsum(frame["gpu_hours"]), math.fsum(map(gpu_hours, given_rows)))
    assert (frame["pods"] >= 1).all()
    if freq is None:
        assert frame["pods"].sum() == len(given_rows)
    names = ["period"] if freq else []
    told = list(frame.columns[:-5])
    assert len(frame[told].drop_duplicates()) == len(frame) if told else len(frame) <= 1
    for _, part in frame.groupby(names, dropna=False) if names else [("", frame)]:
        total = math.fsum(part["cost_usd"])
        if len(part) and part["share"].notna().all() and abs(total) > 1e-3:
            assert math.isclose(part["share"].sum(), 1.0, abs_tol=1e-6 * (1 + part["share"].abs().sum()))


@given(
    rows(), BYS, st.sampled_from([None, *FREQUENCIES]), st.sampled_from(ZONES), LIMITS, LIMITS, st.randoms()
)
@EXAMPLES
def test_the_order_of_rows_does_not_matter(
    given_rows: list[Row], by: Any, freq: str | None, tz: str, one: Any, other: Any, random: Any
) -> None:
    since, until = sorted([one, other]) if one and other else (one, other)
    options = {"freq": freq, "tz": tz, "since": since, "until": until}
    frame = ledger_of(given_rows)
    order = list(range(len(frame)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(
        breakdown(frame, by, **options), breakdown(frame.iloc[order], by, **options), check_exact=True
    )


@given(
    rows(),
    BYS,
    st.sampled_from([None, *FREQUENCIES]),
    st.sampled_from(ZONES),
    st.lists(INSTANTS, min_size=3, max_size=3),
)
@EXAMPLES
def test_the_parts_of_a_range_are_the_range(
    given_rows: list[Row], by: Any, freq: str | None, tz: str, limits: list[datetime]
) -> None:
    begin, middle, end = sorted(limits)
    frame = ledger_of(given_rows)

    def sums(since: datetime, until: datetime) -> pd.DataFrame:
        return breakdown(frame, by, freq=freq, since=since, until=until, tz=tz)

    whole = sums(begin, end)
    parts = pd.concat([sums(begin, middle), sums(middle, end)])
    names = list(whole.columns[:-6])
    for amount in ("cost_usd", "gpu_hours"):
        assert close(math.fsum(parts[amount]), math.fsum(whole[amount]))
    if names and len(whole):
        joined = parts.groupby(names, dropna=False)[["cost_usd", "gpu_hours"]].sum()
        expected = whole.groupby(names, dropna=False)[["cost_usd", "gpu_hours"]].sum()
        assert joined.index.equals(expected.index)
        assert (joined - expected).abs().le(1e-9).all(axis=None)


def plain_period(at: datetime, freq: str, tz: tzinfo) -> datetime:
    """The beginning of a period, counted as a person counts: by what a clock shows."""
    wall = at.astimezone(tz).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if freq == "H":
        return wall
    day = wall.replace(hour=0)
    if freq == "W":
        return day - timedelta(days=day.weekday())
    return {"D": day, "M": day.replace(day=1), "Q": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)}[
        freq
    ]


def plainly(given_rows: list[Row], freq: str, tz: tzinfo) -> dict[Any, list[Fraction]]:
    """The same sums, row by row and quarter of an hour by quarter of an hour, in fractions."""
    sums: dict[Any, list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 2)

    def add(at: datetime | None, gpu: str | None, cost: Fraction, hours: Fraction) -> None:
        # An hour that comes twice is two: they are told apart by what they are from UTC.
        period = at and (plain_period(at, freq, tz), at.astimezone(tz).utcoffset() if freq == "H" else None)
        sums[period, gpu] = [one + more for one, more in zip(sums[period, gpu], (cost, hours), strict=True)]

    for naive_begin, naive_end, usd, gpus, gpu, _ in given_rows:
        begin, end = (at and at.replace(tzinfo=UTC) for at in (naive_begin, naive_end))
        if not (begin and end and begin < end):
            add(begin or end, gpu, Fraction(usd), Fraction(0))
            continue
        at = begin
        while at < end:
            next_at = min(end, datetime.fromtimestamp((at.timestamp() // 900 + 1) * 900, UTC))
            part = Fraction((next_at - at) // timedelta(microseconds=1))
            whole = Fraction((end - begin) // timedelta(microseconds=1))
            add(at, gpu, Fraction(usd) * part / whole, part / 3_600_000_000 * (gpus or 0))
            at = next_at
    return sums


@given(rows(), st.sampled_from(FREQUENCIES), st.sampled_from(ZONES))
@settings(max_examples=soak.pick(15, 400))
def test_it_is_what_a_plain_loop_says(given_rows: list[Row], freq: str, tz: str) -> None:
    if freq == "H" and tz == "Australia/Lord_Howe":
        # There half of an hour comes twice, which is no hour of its own; numbers for that are in test_costs.
        tz = "Asia/Kolkata"
    zone = ZoneInfo(tz)
    expected = plainly(given_rows, freq, zone)
    frame = breakdown(ledger_of(given_rows), "gpu", freq=freq, tz=tz)
    found = {}
    for period, gpu, cost, hours in frame[["period", "gpu", "cost_usd", "gpu_hours"]].itertuples(index=False):
        # A day whose midnight is skipped begins later; the calendar still calls it by its date.
        at = None if period is pd.NaT else period.to_pydatetime()
        key = at and (plain_period(at, freq, zone), at.utcoffset() if freq == "H" else None)
        found[key, None if gpu is pd.NA else gpu] = (cost, hours)
    assert found.keys() == expected.keys()
    for key, (cost, hours) in found.items():
        assert close(cost, float(expected[key][0]))
        assert close(hours, float(expected[key][1]))


@given(rows(), st.sampled_from([None, *FREQUENCIES]), LIMITS)
@settings(max_examples=soak.pick(15, 400))
def test_how_many_are_at_work_at_once_does_not_matter(
    given_rows: list[Row], freq: str | None, since: datetime | None
) -> None:
    frame = ledger_of(given_rows)
    expected = breakdown(frame, "gpu", freq=freq, since=since)
    module = import_module("primepods_magic.costs.proration")
    before: tuple[int, int] = module._CHUNK_SIZE, module._MAX_DENSE_CELLS
    try:
        for at_once, dense in ((1, before[1]), (7, 0)):
            module._CHUNK_SIZE, module._MAX_DENSE_CELLS = at_once, dense
            found = breakdown(frame, "gpu", freq=freq, since=since)
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
    finally:
        module._CHUNK_SIZE, module._MAX_DENSE_CELLS = before


@given(st.lists(AMOUNTS | st.none(), max_size=40), st.integers(0, 4))
@settings(max_examples=soak.pick(10, 2000))
def test_rounded_amounts_add_up_to_the_rounded_total(amounts: list[float | None], digits: int) -> None:
    frame = rounded(pd.DataFrame({"cost_usd": pd.array(amounts, dtype="Float64")}), digits)
    told = [amount for amount in amounts if amount is not None]
    units = [round(amount * 10**digits) for amount in frame["cost_usd"].dropna()]
    assert sum(units) == round(round(math.fsum(told), digits) * 10**digits)
    for amount, unit, shown in zip(told, units, frame["cost_usd"].dropna(), strict=True):
        assert abs(unit - amount * 10**digits) < 1 + 1e-6
        assert shown == round(unit / 10**digits, digits)


@given(rows(), st.sampled_from(FREQUENCIES), st.sampled_from(ZONES))
@EXAMPLES
def test_trends_are_those_of_the_sums(given_rows: list[Row], freq: str, tz: str) -> None:
    frame = breakdown(ledger_of(given_rows), ["gpu"], freq=freq, tz=tz)
    last = running(frame).dropna(subset=["period"]).groupby("gpu", dropna=False)["running_usd"].last()
    sums = frame.dropna(subset=["period"]).groupby("gpu", dropna=False)["cost_usd"].sum()
    assert (last - sums).abs().le(1e-7).all()
    trend = compared(frame, freq)
    first = frame["period"].min()
    for row in trend.itertuples():
        assert pd.isna(row.previous_usd) == (pd.isna(row.period) or row.period == first)
        if not pd.isna(row.previous_usd):
            assert math.isclose(row.previous_usd + row.change_usd, row.cost_usd, abs_tol=1e-6)
