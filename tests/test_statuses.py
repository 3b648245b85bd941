"""Every status of a pod with every status of its installation: read, tabulated, waited for and shown alike.

The tables are what the specification demands: ready is ACTIVE, with a connection, and the installation
COMPLETE; words that nobody knows are busy, never ready and never the end of anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.errors import PodFailed
from primepods_magic.api.http.parsing import read_model, read_page, read_status
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.frames import pods_frame, status_frame
from primepods_magic.frames.rendering import read_sheet, sheet_html, sheet_text
from primepods_magic.notebook.progress.html import static_text
from primepods_magic.notebook.progress.lines import PlainView
from primepods_magic.notebook.progress.terminal import TerminalView
from primepods_magic.notebook.progress.widget import WidgetView
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.wait import Goal, wait_for
from primepods_magic.pods.watching.status_reader import StatusReader
from tests.notebook.views.snapshots import FrontEnd, snapshot
from tests.support.scripted import Answered, Asked, as_json, scripted

SSH = "root@203.0.113.7 -p 22"

# Down: the pod's status. Across: the installation's, the four of the specification first, then the published
# words, one that does not exist, null and a missing key.
OUTCOMES = """
             PENDING IN_PROGRESS COMPLETE FAILED ACTIVE FINISHED ERROR  TERMINATED VALIDATING null   absent
PROVISIONING busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
PENDING      busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
ACTIVE       busy    busy        ready    failed busy   ready    failed failed     busy       ready  ready
STOPPED      busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
ERROR        failed  failed      failed   failed failed failed   failed failed     failed     failed failed
DELETING     going   going       going    going  going  going    going  going      going      going  going
UNKNOWN      busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
TERMINATED   gone    gone        gone     gone   gone   gone     gone   gone       gone       gone   gone
MIGRATING    busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
null         busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
absent       busy    busy        busy     failed busy   busy     failed failed     busy       busy   busy
"""

FACTS = {
    #          is_ready has_failed is_settled is_live
    "ready": (True, False, True, True),
    "busy": (False, False, False, True),
    "failed": (False, True, True, True),
    "going": (False, None, False, False),
    "gone": (False, None, True, False),
}

# What waiting comes to: the goal is reached, it cannot be any more, or the waiting goes on.
VERDICTS: dict[Goal, dict[str, str]] = {
    "ready": {"ready": "reached", "busy": "on", "failed": "failed", "going": "on", "gone": "gone"},
    "active": {"ready": "reached", "busy": "on", "failed": "failed", "going": "on", "gone": "gone"},
    "terminated": {"ready": "on", "busy": "on", "failed": "on", "going": "on", "gone": "reached"},
}

POD_WORDS = {"null": "UNKNOWN", "absent": "UNKNOWN"}
INSTALLATION_WORDS = {
    "ACTIVE": "IN_PROGRESS",
    "FINISHED": "COMPLETE",
    "ERROR": "FAILED",
    "null": None,
    "absent": None,
}

FAILED = "failed  the installation failed; the service gives no reason"
ERROR = "failed  the service reports an error and gives no reason"
ENDED = "the installation was stopped before it was complete"
STOPPED = f"failed  {ENDED}"

# What is said of a pod in one line, by the words of the specification; "*" is every other installation.
SUMMARIES = {
    "PROVISIONING": {"*": "provisioning", "FAILED": FAILED, "TERMINATED": STOPPED},
    "PENDING": {"*": "starting", "FAILED": FAILED, "TERMINATED": STOPPED},
    "ACTIVE": {
        "PENDING": "active, installation not started",
        "IN_PROGRESS": "installing",
        "COMPLETE": f"ready  ssh {SSH}",
        "FAILED": FAILED,
        "TERMINATED": STOPPED,
        "VALIDATING": "active, installation VALIDATING",
        None: f"ready  ssh {SSH}",
    },
    "STOPPED": {"*": "stopped", "FAILED": FAILED, "TERMINATED": STOPPED},
    "ERROR": {"*": ERROR, "FAILED": FAILED},
    "DELETING": {"*": "terminating"},
    "TERMINATED": {"*": "terminated"},
    "UNKNOWN": {
        "PENDING": "state unknown, installation PENDING",
        "IN_PROGRESS": "state unknown, installation IN_PROGRESS",
        "COMPLETE": "state unknown, installation COMPLETE",
        "FAILED": FAILED,
        "TERMINATED": STOPPED,
        "VALIDATING": "state unknown, installation VALIDATING",
        None: "state unknown",
    },
    "MIGRATING": {
        "PENDING": "MIGRATING, installation PENDING",
        "IN_PROGRESS": "MIGRATING, installation IN_PROGRESS",
        "COMPLETE": "MIGRATING, installation COMPLETE",
        "FAILED": FAILED,
        "TERMINATED": STOPPED,
        "VALIDATING": "MIGRATING, installation VALIDATING",
        None: "MIGRATING",
    },
}


def _table() -> dict[tuple[str, str], str]:
    head, *rows = [line.split() for line in OUTCOMES.strip().splitlines()]
    return {(row[0], word): outcome for row in rows for word, outcome in zip(head, row[1:], strict=True)}


TABLE = _table()
POD_STATUSES = list(dict.fromkeys(status for status, _ in TABLE))


def installations(status: str) -> Iterator[tuple[str, str]]:
    """The installation words of one row, each with its outcome."""
    return ((word, outcome) for (row, word), outcome in TABLE.items() if row == status)


def said(status: str, installation: str, **more: Any) -> dict[str, Any]:
    """The part of an answer that pods and status entries share."""
    words = {"status": status, "installationStatus": installation}
    given = {key: None if word == "null" else word for key, word in words.items() if word != "absent"}
    return {"providerType": "hyperstack", "sshConnection": SSH, "ip": "203.0.113.7", **given, **more}


def pod_json(status: str, installation: str, **more: Any) -> dict[str, Any]:
    return {"id": "p1", "name": "train", **said(status, installation, **more)}


def entry_json(status: str, installation: str, **more: Any) -> dict[str, Any]:
    return {"podId": "p1", **said(status, installation, **more)}


def readings(status: str, installation: str, **more: Any) -> list[PodDetails]:
    """The same state through the pod and through the status entry, in both reply shapes of each."""
    pod, entry = pod_json(status, installation, **more), entry_json(status, installation, **more)
    replies = [entry, {"data": [entry], "status": None}, {**entry, "data": [entry]}, {"data": entry}]
    return [
        read_model(PodDetails, pod),
        *read_page(PodDetails, {"data": [pod], "total_count": 1}).items,
        *read_page(PodDetails, [pod]).items,
        *(PodDetails(id="p1", name="train").updated(one) for reply in replies for one in read_status(reply)),
    ]


def facts(pod: PodDetails) -> tuple[bool, bool | None, bool, bool]:
    return pod.is_ready, pod.has_failed if pod.is_live else None, pod.is_settled, pod.is_live


def test_the_table_holds_every_word_of_the_specification() -> None:
    pods = "PROVISIONING PENDING ACTIVE STOPPED ERROR DELETING UNKNOWN TERMINATED".split()
    words = "PENDING IN_PROGRESS COMPLETE FAILED ACTIVE FINISHED ERROR TERMINATED".split()
    assert {(pod, word) for pod in pods for word in words} < set(TABLE)
    assert len(TABLE) == 11 * 11


@pytest.mark.parametrize("status", POD_STATUSES)
def test_a_state_means_the_same_in_every_shape_of_answer(status: str) -> None:
    wrong = []
    for word, outcome in installations(status):
        pods = readings(status, word)
        assert len(pods) == 7
        for pod in pods:
            expected = POD_WORDS.get(status, status), INSTALLATION_WORDS.get(word, word), FACTS[outcome]
            told = None if pod.installation_status is None else str(pod.installation_status)
            if (str(pod.status), told, facts(pod)) != expected:
                wrong.append((word, pod, expected))
    assert not wrong


@pytest.mark.parametrize("connection", [None, "", [], [None], [SSH, None], "nonsense"])
def test_nothing_is_ready_before_every_node_can_be_reached(connection: Any) -> None:
    for status, word in TABLE:
        for pod in readings(status, word, sshConnection=connection):
            assert not pod.is_ready, (status, word)


@pytest.mark.parametrize(
    ("installation", "progress", "outcome"),
    [
        ("COMPLETE", 40, "ready"),
        ("FINISHED", 0, "ready"),
        ("IN_PROGRESS", 100, "busy"),
        ("PENDING", 100, "busy"),
        ("VALIDATING", 100, "busy"),
        ("FAILED", 100, "failed"),
        ("TERMINATED", 100, "failed"),
        ("null", 99.9, "busy"),
        ("absent", 0, "busy"),
        ("null", 100, "ready"),
        ("absent", "100", "ready"),
    ],
)
def test_progress_decides_only_where_no_word_is_told(installation: str, progress: Any, outcome: str) -> None:
    for pod in readings("ACTIVE", installation, installationProgress=progress):
        assert facts(pod) == FACTS[outcome]


@pytest.mark.parametrize("status", POD_STATUSES)
def test_the_frames_have_the_words_of_the_specification(status: str) -> None:
    told = list(installations(status))
    pods = pods_frame(read_model(PodDetails, pod_json(status, word)) for word, _ in told)
    entries = status_frame(
        [entry for word, _ in told for entry in read_status({"data": [entry_json(status, word)]})]
    )
    for frame, kind in ((pods, "pods"), (entries, "status")):
        assert set(frame["status"]) == {POD_WORDS.get(status, status)}
        shown = [None if value is pd.NA else value for value in frame["installation_status"]]
        assert shown == [INSTALLATION_WORDS.get(word, word) for word, _ in told]
        assert list(frame["is_ready"]) == [outcome == "ready" for _, outcome in told]
        assert [str(frame[name].dtype) for name in ("status", "installation_status")] == ["string"] * 2
        sheet = read_sheet(frame, kind, None, None, list(frame.columns))
        # Below the rule.
        lines = sheet_text(sheet).partition("─\n")[2].splitlines()
        for line, (word, _) in zip(lines, told, strict=False):
            expected = [POD_WORDS.get(status, status), INSTALLATION_WORDS.get(word, word) or "–"]
            words = line.split()
            assert words.index(expected[0]) < len(words) - words[::-1].index(expected[1]), line
        html = sheet_html(sheet)
        assert all((INSTALLATION_WORDS.get(word, word) or "–") in html for word, _ in told)


def summary(status: str, installation: str) -> str:
    row = SUMMARIES[POD_WORDS.get(status, status)]
    word = INSTALLATION_WORDS.get(installation, installation)
    return row.get(word) or row["*"]


def state(line: str) -> str:
    """The state in a line, without what is added to it."""
    return re.split("  |, ", line.removeprefix("train  "))[0]


@pytest.mark.parametrize("status", POD_STATUSES)
def test_every_view_says_the_same_of_a_state(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word, outcome in installations(status):
        seen = snapshot(read_model(PodDetails, pod_json(status, word)))
        line = f"train  {summary(status, word)}"
        front_end = FrontEnd()
        widget = WidgetView(front_end)
        for view in (widget, PlainView(), TerminalView(None)):
            view.show(seen)
            view.finish(seen)
            printed = " ".join(capsys.readouterr().out.split())
            if isinstance(view, PlainView):
                assert printed == " ".join(line.split())
            elif isinstance(view, TerminalView):
                assert state(line) in printed
                assert (f"ssh {SSH}" in printed) == (outcome == "ready")
        assert static_text(seen).splitlines()[0] == line
        static = [data for data, _, _ in front_end.shown if "text/html" in data]
        assert [data["text/plain"].splitlines()[0] for data in static] == [line] * 2
        for html in (data["text/html"] for data in static):
            assert f">{state(line)}</span>" in html
            assert (f"ssh {SSH}" in html) == (outcome == "ready")
            assert (ENDED in html) == (ENDED in line)


class Service:
    """Tells one pod's state in one shape: the next state whenever its clock was moved."""

    START = datetime(2026, 9, 14, 8, tzinfo=timezone.utc)

    def __init__(self) -> None:
        self.now = self.START
        self.shape = "published"
        self.script: list[tuple[str, str]] = []
        self.looks = 0

    def tell(self, shape: str, *states: tuple[str, str]) -> None:
        self.shape, self.script, self.looks = shape, list(states), 1

    def __call__(self, asked: Asked) -> Answered:
        return as_json(self._body(asked), Date=format_datetime(self.now, usegmt=True))

    def _body(self, asked: Asked) -> Any:
        if asked.path == "/sandbox":
            return {"product": "sandbox", "clock": {"mode": "stepped"}, "instance": "one"}
        if asked.path == "/sandbox/clock":
            self.now += timedelta(seconds=1)
            self.looks += 1
            return {}
        if asked.path.endswith("/status"):
            entry = entry_json(*self._state())
            if self.shape == "page":
                entry.pop("installationStatus", None)
            return {
                "page": entry,
                "both": {**entry, "data": [entry]},
                "published": {"data": [entry], "status": None},
                "unlisted": {"data": [], "status": None},
            }[self.shape]
        pod = pod_json(*self._state())
        return pod if asked.path.endswith("/p1") else {"data": [pod], "total_count": 1}

    def _state(self) -> tuple[str, str]:
        return self.script[min(self.looks, len(self.script)) - 1]


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with scripted(service) as url:
        yield connect(settings=Settings(url, "sandbox"))
        disconnect()


def verdict(connection: Connection, goal: Goal) -> str:
    before = PodDetails(id="p1", name="train")
    try:
        wait_for(connection, [before], goal=goal, timeout_s=60)
    except PodFailed as failed:
        return "gone" if "is gone (TERMINATED)" in str(failed) else "failed"
    return "reached"


@pytest.mark.parametrize("shape", ["page", "both", "published", "unlisted"])
@pytest.mark.parametrize("status", POD_STATUSES)
def test_waiting_ends_in_the_right_verdict(
    service: Service, connection: Connection, status: str, shape: str
) -> None:
    goals: list[Goal] = ["ready", "active", "terminated"] if shape == "published" else ["ready"]
    wrong = []
    # What the status leaves out is looked for in the list by the next look, and from then on at once.
    first = 2 if shape == "unlisted" else 1
    for goal in goals:
        end = ("TERMINATED", "null") if goal == "terminated" else ("ACTIVE", "COMPLETE")
        for word, outcome in installations(status):
            expected = VERDICTS[goal][outcome]
            if goal == "active" and status == "ACTIVE":
                expected = "reached"
            service.tell(shape, *[(status, word)] * first, end)
            told = verdict(connection, goal)
            if (told, service.looks) != (("reached", first + 1) if expected == "on" else (expected, first)):
                wrong.append((goal, word, expected, told, service.looks))
            first = 1
    assert not wrong


@pytest.mark.parametrize("shape", ["page", "both", "published", "unlisted"])
def test_a_look_reads_the_words_of_the_specification(
    service: Service, connection: Connection, shape: str
) -> None:
    for status, word in TABLE:
        service.tell(shape, (status, word))
        lookout, seen = StatusReader(connection), PodDetails(id="p1", name="train")
        for _ in range(2 if shape == "unlisted" else 1):
            (seen,) = lookout.poll([seen]).pods
        told = None if seen.installation_status is None else str(seen.installation_status)
        assert (str(seen.status), told) == (
            POD_WORDS.get(status, status),
            INSTALLATION_WORDS.get(word, word),
        )
        assert facts(seen) == FACTS[TABLE[status, word]]


def test_a_failure_says_what_failed(service: Service, connection: Connection) -> None:
    for state, says in (
        (("ERROR", "COMPLETE"), "train: ERROR"),
        (("ACTIVE", "FAILED"), "train: installation FAILED"),
        (("ACTIVE", "TERMINATED"), "train: installation TERMINATED"),
        (("TERMINATED", "COMPLETE"), r"train is gone \(TERMINATED\)"),
    ):
        service.tell("published", state)
        with pytest.raises(PodFailed, match=says):
            wait_for(connection, [PodDetails(id="p1", name="train")], timeout_s=60)
