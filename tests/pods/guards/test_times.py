"""When a pod ends is understood as it was meant, or refused before anything is done."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.instants import use_zone
from primepods_magic.api.text.time_zones import zone
from primepods_magic.pods.guards.rules import make_rules
from primepods_magic.pods.guards.times import describe_end, parse_end, parse_span

NOW = datetime(2026, 11, 30, 17, 30, tzinfo=timezone.utc)
"""18:30 in Berlin."""


@pytest.fixture
def in_berlin() -> object:
    use_zone(zone("Europe/Berlin"))
    yield
    use_zone(timezone.utc)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14_400),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2 days 3 h", 183_600),
        ("90 min", 5400),
        ("1.5h", 5400),
    ],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "0h",
        "-1h",
        "nan",
        "nanh",
        "inf",
        "4 parsecs",
        "1e9d",
        "4h later",
        "h",
        "４h",
        "4hh",
        True,
        None,
        4,
    ],
)
def test_what_is_no_length_of_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"^not "):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("19:00", "2026-11-30T18:00"),
        ("18:00", "2026-12-01T17:00"),
        ("today 18:45", "2026-11-30T17:45"),
        ("tomorrow 9:00", "2026-12-01T08:00"),
        ("18:00 UTC", "2026-11-30T18:00"),
        ("18:00 America/New_York", "2026-11-30T23:00"),
        ("2026-12-24 12:00", "2026-12-24T11:00"),
        ("2026-12-24T12:00Z", "2026-12-24T12:00"),
        ("2026-12-24T12:00+05:30", "2026-12-24T06:30"),
    ],
)
def test_an_end_is_in_the_zone_that_times_are_shown_in(text: str, hour: str, in_berlin: object) -> None:
    assert parse_end(text, NOW).isoformat()[:16] == hour


@pytest.mark.parametrize("where", ["named", "of this computer"])
@pytest.mark.parametrize(
    ("now", "text", "hour"),
    [
        ("2026-09-14T08:00", "2026-12-01 18:00", "2026-12-01T17:00"),
        ("2026-10-24T10:00", "tomorrow 9:00", "2026-10-25T08:00"),
        ("2026-10-24T20:00", "9:00", "2026-10-25T08:00"),
        ("2026-03-28T20:00", "9:00", "2026-03-29T07:00"),
        # 2:30 comes twice in that night, and not at all in the other one.
        ("2026-10-25T00:45", "2:30", "2026-10-25T01:30"),
        ("2026-10-25T01:45", "2:30", "2026-10-26T01:30"),
        ("2026-03-29T00:30", "2:30", "2026-03-29T01:30"),
    ],
)
def test_an_end_beyond_a_change_of_the_clocks_is_at_that_time(
    now: str, text: str, hour: str, where: str, in_berlin: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "of this computer":
        use_zone(None)
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
    try:
        assert parse_end(text, datetime.fromisoformat(f"{now}+00:00")).isoformat()[:16] == hour
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_end_is_shown_in_local_time_and_utc(in_berlin: object) -> None:
    assert describe_end(parse_end("19:00", NOW)) == "2026-11-30 19:00 CET (18:00 UTC)"
    assert describe_end(parse_end("tomorrow 0:30", NOW)) == "2026-12-01 00:30 CET (2026-11-30 23:30 UTC)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-30 12:00 UTC", "in the past"),
        ("today 9:00", "in the past"),
        ("2028-01-01 00:00", "more than a year"),
        ("25:00", "not a time"),
        ("18:60", "not a time"),
        ("2026-12-24", "not a time"),
        ("soon", "not a time"),
        ("18:00 Europe/Berln", "did you mean"),
        ("18:00 Mars/Base", "not a time zone"),
        ("", "not a time"),
        ("nan", "not a time"),
    ],
)
def test_an_end_that_is_past_or_unknown_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_end(text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_future_or_refused(text: str) -> None:
    try:
        moment = parse_end(text, NOW)
    except ValueError:
        return
    assert NOW < moment <= NOW + timedelta(days=366)


@pytest.mark.parametrize(
    "fields",
    [
        {"lasts": "0h"},
        {"lasts": "4h", "until": "18:00"},
        {"lasts": "4h", "since": NOW - timedelta(hours=5)},
        {"idle": "-5m"},
        {"max_total_usd": 0},
        {"max_total_usd": math.nan},
        {"max_total_usd": math.inf},
        {"until": "today 9:00"},
        {"idle": "30m", "on_end": "x\0"},
        {"idle": "30m", "notify": "x" * 20_000},
    ],
)
def test_rules_without_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was done"):
        make_rules(now=NOW, **fields)  # type: ignore[arg-type]


def test_rules_count_from_the_creation_of_the_pod() -> None:
    rules = make_rules(now=NOW, since=NOW - timedelta(hours=1), lasts="4h", idle="30m", max_total_usd=25)
    assert rules.ends_at == NOW + timedelta(hours=3)
    assert rules.describe() == "at 2026-11-30 20:30 UTC, or after 30 min of idleness, or at $25.00"
