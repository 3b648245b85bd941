"""The words and percentages of every view."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from primepods_magic.api.enums import PodStatus
from primepods_magic.notebook.progress.rows import (
    PodPhase,
    format_pod,
    format_totals,
    read_rows,
    trouble_text,
)
from primepods_magic.pods.watching.snapshot import Estimate
from tests.notebook.views.snapshots import EIGHT, SSH, failed, pod, ready, snapshot

COMMAND = "ssh root@203.0.113.7 -p 22"
ENDED = "the installation was stopped before it was complete"
ERROR = "the service reports an error and gives no reason"
NO_REASON = "the installation failed; the service gives no reason"


@pytest.mark.parametrize(
    ("status", "installation", "progress", "kind", "percent", "state", "detail"),
    [
        ("PROVISIONING", None, None, PodPhase.WAITING, 0, "provisioning", ""),
        ("PROVISIONING", "PENDING", 30, PodPhase.WAITING, 0, "provisioning", ""),
        ("PENDING", "PENDING", 0, PodPhase.WAITING, 0, "starting", ""),
        ("ACTIVE", "PENDING", None, PodPhase.INSTALLING, 0, "active", "installation not started"),
        ("ACTIVE", "IN_PROGRESS", 40, PodPhase.INSTALLING, 40, "installing 40 %", ""),
        ("ACTIVE", "ACTIVE", 99.9, PodPhase.INSTALLING, 99, "installing 99 %", ""),
        ("ACTIVE", "IN_PROGRESS", 250, PodPhase.INSTALLING, 100, "installing 100 %", ""),
        ("ACTIVE", "IN_PROGRESS", -3, PodPhase.INSTALLING, 0, "installing 0 %", ""),
        ("ACTIVE", "IN_PROGRESS", None, PodPhase.INSTALLING, None, "installing", ""),
        ("ACTIVE", "COMPLETE", 100, PodPhase.READY, 100, "ready", ""),
        ("ACTIVE", "FINISHED", None, PodPhase.READY, 100, "ready", ""),
        ("ACTIVE", None, None, PodPhase.READY, 100, "ready", ""),
        ("ACTIVE", None, 55, PodPhase.INSTALLING, 55, "installing 55 %", ""),
        ("ACTIVE", "FAILED", 43, PodPhase.FAILED, 43, "failed", "installation failed at 43 %"),
        ("ACTIVE", "ERROR", None, PodPhase.FAILED, 0, "failed", "installation failed"),
        ("ACTIVE", "TERMINATED", None, PodPhase.FAILED, 0, "failed", "installation stopped"),
        ("ACTIVE", "REBOOTING", 10, PodPhase.UNKNOWN, 10, "active", "installation REBOOTING 10 %"),
        ("STOPPED", "COMPLETE", 100, PodPhase.WAITING, 0, "stopped", ""),
        ("ERROR", "IN_PROGRESS", 20, PodPhase.FAILED, 20, "failed", ""),
        ("DELETING", "COMPLETE", 100, PodPhase.GONE, 100, "terminating", ""),
        ("TERMINATED", "TERMINATED", None, PodPhase.GONE, None, "terminated", ""),
        ("UNKNOWN", None, None, PodPhase.UNKNOWN, None, "state unknown", ""),
        ("MIGRATING", "IN_PROGRESS", 5, PodPhase.UNKNOWN, 5, "MIGRATING", "installation IN_PROGRESS 5 %"),
    ],
)
def test_every_state_has_its_words(status, installation, progress, kind, percent, state, detail):
    row = format_pod(pod("train", status, installation, progress, sshConnection=SSH), EIGHT)
    assert (row.kind, row.percent, row.state, row.detail) == (kind, percent, state, detail)
    reason = ERROR if status == "ERROR" else ENDED if installation == "TERMINATED" else NO_REASON
    of_kind = {PodPhase.READY: f"ready  {COMMAND}", PodPhase.FAILED: f"failed  {reason}"}
    assert row.summary == of_kind.get(kind, ", ".join(filter(None, [state, detail])))


@pytest.mark.parametrize("status", [*PodStatus, "MIGRATING"])
@pytest.mark.parametrize(
    "installation", [None, "PENDING", "IN_PROGRESS", "COMPLETE", "FAILED", "TERMINATED", "X"]
)
@pytest.mark.parametrize("connection", [None, SSH])
def test_a_row_waits_exactly_as_long_as_the_watch_does(status, installation, connection):
    watched = pod("train", str(status), installation, 50, sshConnection=connection)
    assert format_pod(watched, EIGHT).is_settled == watched.is_settled


def test_an_installed_pod_without_a_connection_is_not_called_ready():
    row = format_pod(pod("train", "ACTIVE", "COMPLETE", 100), EIGHT)
    assert (row.kind, row.state, row.detail) == (PodPhase.INSTALLING, "installed", "no connection yet")
    assert row.summary == "installed, no connection yet"
    assert row.commands == ()


def test_a_failure_gives_the_reason_of_the_service():
    row = format_pod(failed(reason="pip:\n  no space\x1b[31m left"), EIGHT)
    assert row.reason == "pip: no space�[31m left"
    assert row.summary == "failed  pip: no space�[31m left"


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\u202eb", "a\r\nb", "a\ud800b", "a\x9bb", "a\u2066b"])
def test_names_cannot_move_the_cursor_or_the_reading_direction(name):
    shown = format_pod(pod(name), EIGHT).name
    assert shown in {"a b", "a�b", "a�[2Jb"}
    shown.encode()


@pytest.mark.parametrize("name", ["実験-モデル-№5 🚀", "بحث-٢٠٢٦ (تجربة)", "👩\u200d💻"])
def test_names_of_every_script_stay_as_they_are(name):
    assert format_pod(pod(name), EIGHT).name == name


def test_a_pod_without_name_price_gpu_and_date_still_has_a_row():
    row = format_pod(pod(None, priceHr=None, gpuName=None, createdAt=None), EIGHT)
    assert (row.name, row.price, row.gpu, row.elapsed) == (hashlib.md5(b"").hexdigest(), "", "", "")
    assert format_pod(pod(None, id=None), EIGHT).name == "unnamed"


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (2.69, "$2.69/h"),
        (3, "$3.00/h"),
        (0.0123, "$0.01/h"),
        (0.006971, "< $0.01/h"),
        (1234.5, "$1,234.50/h"),
        (0, ""),
    ],
)
def test_shows_prices_to_the_cent(usd, shown):
    assert format_pod(pod(priceHr=usd), EIGHT).price == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (2 * 86400 + 3600, "2 d 1 h")],
)
def test_time_passes_by_the_clock_of_the_service(seconds, shown):
    assert read_rows(snapshot(pod(), after=seconds))[0].elapsed == shown


def test_many_nodes_do_not_flood_the_row():
    nodes = [f"root@203.0.113.{n} -p 22" for n in range(1, 17)]
    commands = format_pod(ready(sshConnection=nodes), EIGHT).commands
    assert len(commands) == 4
    assert commands[-1] == "# and 13 more nodes"


def test_says_how_many_of_several_nodes_are_up():
    row = format_pod(ready(sshConnection=["root@203.0.113.1 -p 22", None, None]), EIGHT)
    assert (row.state, row.detail) == ("installed", "1 of 3 nodes up")


def test_totals_count_and_add_up_what_is_still_there():
    pods = ready("a"), pod("b", "ACTIVE", "IN_PROGRESS", 50), failed("c"), pod("d", "TERMINATED")
    totals = format_totals(pods)
    assert totals.title == "4 pods"
    assert totals.states == "1 installing, 1 ready, 1 failed, 1 ended"
    assert (totals.percent, totals.kind, totals.price) == (64, PodPhase.INSTALLING, "$8.07/h")


def test_totals_are_red_once_nothing_is_awaited_and_something_failed():
    assert format_totals([ready("a"), failed("b")]).kind is PodPhase.FAILED
    assert format_totals([ready("a"), ready("b")]).kind is PodPhase.READY


def test_trouble_says_from_when_the_rows_are():
    shown = trouble_text(snapshot(pod(), after=12, trouble="cannot reach the service."))
    assert shown == "Not up to date since 08:00:12 UTC: cannot reach the service"
    assert trouble_text(snapshot(pod())) == ""


def test_a_pod_that_is_gone_has_no_price_any_more_and_a_cost_that_is_billed_or_an_estimate():
    gone = pod("train", "TERMINATED", terminatedAt="2026-11-24T08:05:00Z")
    for outlook, cost in (
        (Estimate(cost_usd=0.04), "≈ $0.04"),
        (Estimate(cost_usd=0.05, is_billed=True), "$0.05 billed"),
    ):
        row = format_pod(gone, EIGHT, outlook)
        assert (row.price, row.cost) == ("", cost)


@pytest.mark.parametrize("status", ["ACTIVE", "DELETING", "TERMINATED"])
def test_a_row_stops_counting_at_the_end_of_its_pod(status):
    ended = pod("train", status, terminatedAt="2026-11-24T08:05:00Z", createdAt="2026-11-24T08:00:00Z")
    assert {format_pod(ended, EIGHT + timedelta(hours=hours)).elapsed for hours in (1, 2, 99)} == {
        "5 min 00 s"
    }


def test_a_row_of_a_pod_that_is_gone_counts_to_when_that_was_seen():
    gone = pod("train", "TERMINATED", createdAt="2026-11-24T08:00:00Z")
    later = EIGHT + timedelta(hours=9)
    assert format_pod(gone, later).elapsed == ""
    outlook = Estimate(ended_at=EIGHT + timedelta(minutes=2))
    assert (
        format_pod(gone, later, outlook).elapsed
        == format_pod(gone, later + timedelta(1), outlook).elapsed
        != ""
    )
