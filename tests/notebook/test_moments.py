"""Times as people type them are what they mean by them, also on the nights when clocks are changed."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.notebook.input.dates import parse_time, zone

UTC = timezone.utc
BERLIN = zone("Europe/Berlin")
NOW = datetime(2026, 9, 14, 8, 30, 15, 123, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-09-14T08:30:15.000123+00:00"),
        ("today", "2026-09-14T00:00:00+00:00"),
        ("yesterday", "2026-09-13T00:00:00+00:00"),
        ("month", "2026-09-01T00:00:00+00:00"),
        ("last-month", "2026-08-01T00:00:00+00:00"),
        ("year", "2026-01-01T00:00:00+00:00"),
        ("7d", "2026-09-07T08:30:15.000123+00:00"),
        ("12h", "2026-09-13T20:30:15.000123+00:00"),
        ("2w", "2026-08-31T08:30:15.000123+00:00"),
        ("2026-03", "2026-03-01T00:00:00+00:00"),
        ("2026-09-01", "2026-09-01T00:00:00+00:00"),
        ("2026-09-01T14:30", "2026-09-01T14:30:00+00:00"),
        ("2026-09-01 14:30", "2026-09-01T14:30:00+00:00"),
        ("2026-09-01T14:30Z", "2026-09-01T14:30:00+00:00"),
        ("2026-09-01T14:30z", "2026-09-01T14:30:00+00:00"),
        ("2026-09-01T14:30:05+02:00", "2026-09-01T14:30:05+02:00"),
        ("  Yesterday ", "2026-09-13T00:00:00+00:00"),
        ("7D", "2026-09-07T08:30:15.000123+00:00"),
    ],
)
def test_what_people_type(text: str, expected: str) -> None:
    assert parse_time(text, NOW, UTC).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "7",
        "d",
        "-7d",
        "7 d",
        "1.5d",
        "7m",
        "2026-13",
        "2026-02-30",
        "2026",
        "26-09-01",
        "2026-09-1",
        "2026-09-01T25:00",
        "123456d",
        "9" * 400 + "d",
        "tomorrow",
        "99999w ago",
        "\x00",
        "2026-09-01T",
    ],
)
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"Cannot parse time .* Use 2026-09-01, .*last-month"):
        parse_time(text, NOW, UTC)


@given(st.text(max_size=12), st.sampled_from([UTC, BERLIN]))
def test_any_text_is_a_time_with_a_zone_or_refused(text: str, where: timezone) -> None:
    with contextlib.suppress(InvalidRequest):
        assert parse_time(text, NOW, where).tzinfo is not None


@pytest.mark.parametrize("text", ["99999h", "99999d", "99999w"])
def test_long_ago_is_a_time(text: str) -> None:
    assert parse_time(text, NOW, BERLIN) < NOW


@pytest.mark.parametrize(
    ("now", "today", "yesterday"),
    [
        # The clock goes forward in the night to the 29th, and back in the night to the 25th.
        ("2026-03-29T12:00+02:00", "2026-03-29T00:00+01:00", "2026-03-28T00:00+01:00"),
        ("2026-03-30T12:00+02:00", "2026-03-30T00:00+02:00", "2026-03-29T00:00+01:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25T00:00+02:00", "2026-10-24T00:00+02:00"),
        ("2026-10-26T12:00+01:00", "2026-10-26T00:00+01:00", "2026-10-25T00:00+02:00"),
    ],
)
def test_days_begin_at_midnight_of_the_place(now: str, today: str, yesterday: str) -> None:
    there = datetime.fromisoformat(now)
    assert parse_time("today", there, BERLIN) == datetime.fromisoformat(today)
    assert parse_time("yesterday", there, BERLIN) == datetime.fromisoformat(yesterday)


@pytest.mark.parametrize(
    "now", ["2026-03-29T09:00+02:00", "2026-10-25T09:00+01:00", "2026-10-25T02:30+01:00"]
)
def test_hours_ago_are_hours_and_days_ago_are_at_the_same_time_of_day(now: str) -> None:
    there = datetime.fromisoformat(now)
    assert there - parse_time("12h", there, BERLIN).astimezone(UTC) == timedelta(hours=12)
    ago = parse_time("1d", there, BERLIN)
    assert (ago.hour, ago.minute, ago.day) == (there.hour, there.minute, there.day - 1)


def test_a_date_is_of_the_place_and_a_time_with_a_zone_of_that() -> None:
    assert parse_time("2026-09-01", NOW, BERLIN).isoformat() == "2026-09-01T00:00:00+02:00"
    assert parse_time("2026-01", NOW, BERLIN).isoformat() == "2026-01-01T00:00:00+01:00"
    assert parse_time("2026-09-01T00:00Z", NOW, BERLIN).utcoffset() == timedelta()


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "../../etc/passwd", "/etc/passwd", "europe", "\x00"])
def test_a_zone_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [("0001-01-01", "+02:00"), ("0001-01", "Asia/Tokyo"), ("9999-12-31T23:30", "-01:00"), ("99999w", "-14")],
)
def test_a_time_that_utc_cannot_tell_is_refused(text: str, name: str) -> None:
    now = datetime(1800, 1, 1, tzinfo=UTC) if text.endswith("w") else NOW
    with pytest.raises(InvalidRequest, match=f"Cannot parse time '{text}'"):
        parse_time(text, now, zone(name))
