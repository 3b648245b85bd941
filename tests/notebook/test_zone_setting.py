"""The zone in which times are shown: the user's, with UTC beside it; frames keep UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from traitlets import TraitError

from primepods_magic.api.text.instants import format_clock, format_instant, in_shown_zone, use_zone
from primepods_magic.frames.rendering import read_sheet, sheet_html, sheet_text
from primepods_magic.notebook.progress.html import static_html, static_text
from primepods_magic.pods.watching.snapshot import Change, ChangeKind, Snapshot

SUMMER = datetime(2026, 9, 14, 8, 0, 31, tzinfo=timezone.utc)
WINTER = datetime(2026, 12, 14, 8, 0, tzinfo=timezone.utc)


@pytest.fixture
def in_paris() -> Iterator[None]:
    use_zone(ZoneInfo("Europe/Paris"))
    yield
    use_zone(timezone.utc)


def table_of(*times: datetime | None) -> Any:
    frame = pd.DataFrame({"name": ["a"] * len(times), "since_at": pd.to_datetime([*times], utc=True)})
    return read_sheet(frame, "waste", None, None, list(frame.columns))


def test_times_are_shown_in_the_zone_of_the_setting(shell: Any, sandbox: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --name train;")
    sandbox.advance(60)
    in_utc = shell.run("%pods ls")
    assert ">UTC</span></th>" in shell.output.html
    assert 'title="2026' not in shell.output.html
    shell.run("%config PodsMagics.timezone = 'Europe/Paris'")
    frame = shell.run("%pods ls")
    pd.testing.assert_frame_equal(frame, in_utc)
    assert ">CEST</span></th>" in shell.output.html
    at = frame["created_at"][0]
    assert f"{at.tz_convert('Europe/Paris'):%Y-%m-%d %H:%M}" in shell.output.text
    assert f'title="{at:%Y-%m-%d %H:%M} UTC"' in shell.output.html


def test_cards_bars_and_pods_show_times_in_the_same_zone(shell: Any, sandbox: Any) -> None:
    shell.run("%config PodsMagics.timezone = 'Europe/Paris'")
    pod = shell.run("%pod_create --gpu L4_24GB --name train")
    assert repr(pod).endswith(" CEST")
    assert repr(Change(ChangeKind.GONE, pod.as_of)).endswith(" CEST)")
    sandbox.advance(60)
    shown = shell.run("%pods show train")
    for text in (shell.output.text, shell.output.html):
        assert f"as of {format_instant(shown.as_of)}" in text
        assert f"{format_instant(shown.details.created_at)}, 1 min 00 s ago" in text
        assert "UTC" not in text
    snapshot = Snapshot((shown.details,), shown.as_of, trouble="timed out")
    for text in (static_text(snapshot), static_html(snapshot)):
        assert f"as of {format_clock(shown.as_of)}" in text
        assert f"Not up to date since {format_clock(shown.as_of, seconds=True)}" in text
        assert "UTC" not in text


def test_an_unknown_zone_is_refused_with_near_names(shell: Any) -> None:
    magics = shell.run("get_ipython().magics_manager.registry['PodsMagics']")
    with pytest.raises(TraitError, match=r"'Europe/Pari' is not a time zone.*Europe/Paris"):
        magics.timezone = "Europe/Pari"
    assert magics.timezone == "local"
    assert format_instant(SUMMER) == "2026-09-14 08:00 UTC"


def test_local_is_the_zone_of_the_computer_and_ends_with_the_extension(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            assert format_instant(SUMMER) == "2026-09-14 17:00 JST"
            assert format_instant(pd.Timestamp(SUMMER)) == "2026-09-14 17:00 JST"
            shell.run("%config PodsMagics.timezone = 'UTC'")
            assert format_instant(SUMMER) == "2026-09-14 08:00 UTC"
            shell.run("%config PodsMagics.timezone = 'local'")
            assert format_clock(SUMMER, seconds=True) == "17:00:31 JST"
            shell.run("%unload_ext primepods_magic")
            assert format_clock(SUMMER) == "08:00 UTC"
    finally:
        time.tzset()


def test_a_column_across_a_change_of_clocks_says_the_zone_in_each_row(in_paris: None) -> None:
    both = sheet_text(table_of(SUMMER, WINTER))
    assert both.splitlines()[0] == "name  since_at"
    assert both.splitlines()[2:] == ["a     2026-09-14 10:00 CEST", "a     2026-12-14 09:00 CET"]
    assert sheet_text(table_of(WINTER, None)).splitlines()[0] == "name  since_at CET"
    assert 'title="2026-12-14 08:00 UTC"' in sheet_html(table_of(WINTER))


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("America/Sao_Paulo", "UTC-03:00"), ("Asia/Kathmandu", "UTC+05:45"), ("Europe/London", "BST")],
)
def test_zones_without_an_abbreviation_show_their_offset(zone: str, shown: str) -> None:
    try:
        use_zone(ZoneInfo(zone))
        assert format_instant(SUMMER).split(" ")[2] == shown
    finally:
        use_zone(timezone.utc)


@pytest.mark.parametrize("at", [datetime.max, datetime.min])
def test_the_ends_of_the_calendar_stay_in_utc(at: datetime) -> None:
    for zone in ("Asia/Tokyo", "America/New_York"):
        use_zone(ZoneInfo(zone))
        try:
            assert in_shown_zone(at).year == at.year
        finally:
            use_zone(timezone.utc)
