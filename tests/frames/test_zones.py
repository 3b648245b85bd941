"""Time zones as people name them, and what is said where they are unknown."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from primepods_magic.api.text.time_zones import has_zone_data, zone
from primepods_magic.costs.periods import period_of

BERLIN = ZoneInfo("Europe/Berlin")


def offset(hours: int, minutes: int = 0) -> tzinfo:
    return timezone(timedelta(hours=hours, minutes=minutes))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTC", timezone.utc),
        ("utc", timezone.utc),
        ("Europe/Berlin", BERLIN),
        ("europe/berlin", BERLIN),
        ("EUROPE/BERLIN", BERLIN),
        ("EST5EDT", ZoneInfo("EST5EDT")),
        ("est5edt", ZoneInfo("EST5EDT")),
        ("Etc/GMT+2", ZoneInfo("Etc/GMT+2")),
        ("+02:00", offset(2)),
        ("-0330", offset(-3, -30)),
        ("+2", offset(2)),
        ("UTC+2", offset(2)),
        ("utc-05:45", offset(-5, -45)),
        ("UTC+00:00", timezone.utc),
        ("UTC+01:02:03", timezone(timedelta(seconds=3723))),
    ],
)
def test_reads_a_name_or_an_offset(name: str, expected: tzinfo) -> None:
    assert zone(name) == expected
    assert zone(expected) is expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "Mars",
        "Europe",
        "Europe/",
        "Europe/Berln",
        "/etc/passwd",
        "../../etc/passwd",
        "/usr/share/zoneinfo/Europe/Berlin",
        "zone.tab",
        "a\0b",
        "\ud800",
        "x" * 5000,
        "+24:00",
        "+02:60",
        "UTC+",
        "GMT+2",
        " UTC",
        "{Europe/Berlin}",
    ],
)
def test_says_that_there_is_no_such_zone(name: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*' is not a time zone") as refused:
        zone(name)
    assert len(str(refused.value)) < 250
    assert "\n" not in str(refused.value)


def test_suggests_the_nearest_name_or_some_names() -> None:
    with pytest.raises(ValueError, match=r"\(did you mean 'Europe/Berlin'\?\)$"):
        zone("Europe/Berln")
    with pytest.raises(ValueError, match=r"\. Use a name such as UTC, Europe/Berlin or America/New_York$"):
        zone("Mars")


_CODE = """
import sys
sys.modules["tzdata"] = None
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.notebook.input.dates import zone
print(zone("UTC"), zone("+02:00"))
for name in sys.argv[1:]:
    try:
        print(zone(name))
    except InvalidRequest as error:
        print(error)
"""


@pytest.mark.parametrize("content", ["nothing", "no folder", "text", "link"])
def test_names_the_zone_data_that_are_missing(content: str, tmp_path: Path) -> None:
    if content == "text":
        (tmp_path / "Europe").mkdir()
        (tmp_path / "Europe" / "Berlin").write_text("no zone")
    if content == "link":
        (tmp_path / "Europe").symlink_to("Europe")
    path = "" if content == "nothing" else str(tmp_path / "none" if content == "no folder" else tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", _CODE, "Europe/Berlin", "Mars"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONTZPATH": path},
        check=False,
    )
    assert run.stdout.splitlines() == [
        "UTC UTC+02:00",
        "this computer has no time zone data, so 'Europe/Berlin' is unknown: pip install tzdata",
        "this computer has no time zone data, so 'Mars' is unknown: pip install tzdata",
    ], run.stderr


def test_knows_that_there_are_zone_data() -> None:
    assert has_zone_data()


@pytest.mark.parametrize("tz", [offset(2), offset(-3, -30), BERLIN, zone("+13")], ids=str)
def test_months_begin_at_midnight_of_the_zone(tz: tzinfo) -> None:
    moment = datetime(2026, 11, 1, 0, 30, tzinfo=tz)
    begin, before = period_of(moment, "M", tz)
    assert begin == datetime(2026, 11, 1, tzinfo=tz)
    assert before == datetime(2026, 10, 1, tzinfo=tz)
    assert period_of(moment - timedelta(hours=1), "M", tz)[0] == before
