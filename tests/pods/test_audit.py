"""The audit log: it has each step that costs or ends money, no secret, and never stops a launch."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded, PaymentRequired, ServiceUnavailable
from primepods_magic.api.local.atomic_files import rotate_file
from primepods_magic.pods import audit
from primepods_magic.pods.audit import note_end_on_pod, note_event, read_audit
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.records import Verdict, log_verdict
from primepods_magic.pods.launching.launch import launch
from tests.pods.conftest import Changing, Through
from tests.pods.test_launch_doubts import is_list, quiet
from tests.pods.test_one_pod import Breaking, creates_of, is_create
from tests.support.waiting import eventually

SECRET = "hunter2-hunter2"


def events() -> list[str]:
    return [entry.event for entry in read_audit()]


@pytest.fixture(autouse=True)
def _forget_repeats() -> None:
    audit._latest.clear()


@pytest.fixture
def folder(home: Path) -> Path:
    return home / ".local" / "state" / "primepods_magic"


def test_each_step_of_a_pod_has_an_entry_without_secrets(connection: Connection, folder: Path) -> None:
    pod = launch(gpu="L4_24GB", name="train", env={"TOKEN": SECRET}, tell=quiet)
    assert launch(gpu="L4_24GB", name="train", env={"TOKEN": SECRET}, tell=quiet).id == pod.id
    assert events() == ["create sent", "created"]
    again = launch(gpu="H100_80GB", name="train", replace_existing=True, tell=quiet)
    again.terminate()
    steps = ["create sent", "created", "termination sent", "terminated"]
    assert events() == [*steps[:2], *steps[2:], *steps]
    sent, created, ending, ended, *_, last = read_audit()
    assert (sent.pod, sent.pod_id, sent.gpu, sent.gpu_count, sent.price_usd_hr) == (
        "train",
        None,
        "L4_24GB",
        1,
        0.69,
    )
    assert (created.pod_id, created.service, created.host) == (pod.id, "sandbox", "127.0.0.1")
    assert (ending.cause, ended.cause, last.cause) == ("replaced", "replaced", None)
    assert last.pod_id == again.id
    assert datetime.now(timezone.utc) - last.at < timedelta(minutes=1)
    file = folder / "audit.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert SECRET not in text
    assert "TOKEN" not in text
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines() if line)


def test_refused_and_unknown_creates_are_told_apart_and_a_later_run_finds_the_pod(
    connection: Connection, through: Through
) -> None:
    refusing = creates_of(lambda _: httpx.Response(402, json={"detail": f"no money, {SECRET}"}))
    with pytest.raises(PaymentRequired):
        launch(gpu="L4_24GB", name="a", connection=through(refusing), tell=quiet)

    def lose(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """Act on creates, do not say so, and list nothing."""
        if is_list(request):
            return httpx.Response(200, json={"data": [], "total_count": 0})
        return httpx.Response(502, text=SECRET) if is_create(request) else response

    live = through(Changing(lose), live=True)
    with pytest.raises(ServiceUnavailable):
        launch(gpu="L4_24GB", name="b", connection=live, settle_s=0.1, yes=True, tell=quiet)
    assert events() == ["create sent", "create refused", "create sent", "create unknown"]
    assert [entry.detail for entry in read_audit()] == [None, "PaymentRequired", None, "ServiceUnavailable"]
    assert [entry.service for entry in read_audit()] == ["sandbox", "sandbox", "live", "live"]
    pod = launch(gpu="L4_24GB", name="b", tell=quiet)
    assert (events()[-1], read_audit()[-1].pod_id) == ("found", pod.id)
    assert SECRET not in "".join(map(str, read_audit()))


def test_a_create_that_was_found_is_created(connection: Connection, through: Through) -> None:
    launch(gpu="L4_24GB", name="train", connection=through(Breaking(arrives=True)), tell=quiet)
    assert events() == ["create sent", "created"]


def test_a_pod_above_its_limit_has_the_cause_of_its_end(connection: Connection, through: Through) -> None:
    def raise_price(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request):
            return httpx.Response(200, json={**response.json(), "priceHr": 90.0})
        return response

    with pytest.raises(BudgetExceeded):
        launch(gpu="L4_24GB", name="a", max_price=1, connection=through(Changing(raise_price)), tell=quiet)
    last = read_audit()[-1]
    assert (last.event, last.cause) == ("terminated", "above its limit")


@pytest.mark.parametrize("trouble", ["a folder in its place", "no state folder"])
def test_a_log_that_cannot_be_written_stops_nothing(
    connection: Connection, folder: Path, trouble: str
) -> None:
    if trouble == "no state folder":
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("a file")
    else:
        (folder / "audit.jsonl").mkdir(parents=True)
    pod = launch(gpu="L4_24GB", name="train", tell=quiet)
    assert pod.terminate().outcome == "terminated"
    assert read_audit() == []


def test_no_entry_is_lost_when_the_file_is_rotated_while_many_write(
    connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_MAX_BYTES", 20_000)
    names = [f"pod-{number}" for number in range(180)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: note_event(connection, "create sent", name=name), names))
    assert (folder / "audit-older.jsonl").stat().st_size < 21_000
    assert sorted(str(entry.pod) for entry in read_audit()) == sorted(names)
    for number in range(400):
        note_event(connection, "create sent", name=f"more-{number}")
    sizes = [path.stat().st_size for path in folder.glob("audit*.jsonl")]
    assert max(sizes) < 21_000
    assert len(sizes) == 2
    assert read_audit()[-1].pod == "more-399"


def test_a_process_that_comes_late_does_not_rotate_again(tmp_path: Path) -> None:
    path, older = tmp_path / "log", tmp_path / "older"
    path.write_text("x" * 100)
    with path.open("rb") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        late = pool.submit(rotate_file, path, older, max_bytes=50)
        eventually(lambda: len(list(_open_descriptors(path))) == 2, "the other one opens the file, too")
        # This is what the first one does.
        path.rename(older)
        path.write_text("y" * 60)
        fcntl.flock(held, fcntl.LOCK_UN)
        late.result(10)
    assert (older.read_text(), path.read_text()) == ("x" * 100, "y" * 60)


def _open_descriptors(path: Path) -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == str(path):
                yield name


def test_damaged_lines_and_hostile_names_harm_no_one(connection: Connection, folder: Path) -> None:
    note_event(connection, "create sent", name="a\x1b]0;title\x07\n{" + "x" * 10_000)
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(b'\n{"at": "never"}\n\xff\xfe\n[]\n{"at":"2026-01-01T00:00:00Z","event":"created"')
    note_event(connection, "created", name="b")
    first, second = read_audit()
    assert first.pod
    assert "\x1b" not in first.pod
    assert len(first.pod) <= 200
    assert second.pod == "b"


def test_a_guard_that_tries_again_and_again_fills_no_log(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train", tell=quiet).details
    for _ in range(5):
        note_event(connection, "termination sent", pod=pod, cause="guard: idle")
    assert events() == ["create sent", "created", "termination sent"]


def test_a_guard_on_the_pod_ends_it_at_the_service_of_its_create(
    connection: Connection, folder: Path
) -> None:
    pod = launch(gpu="L4_24GB", name="train", tell=quiet)
    verdict = Verdict(
        pod_id=str(pod.id), pod="train", at=connection.now(), rule="idle", outcome="ended", where="pod"
    )
    log_verdict(folder / "guards", verdict)
    log_verdict(folder / "guards", verdict.model_copy(update={"where": "here"}))
    last = read_audit()[-1]
    assert (last.event, last.service, last.front_end) == ("terminated", "sandbox", "guard")
    assert (last.cause, last.gpu, events().count("terminated")) == ("guard on the pod: idle", "L4_24GB", 1)
    note_end_on_pod("of another computer", "eval", None, None)
    assert read_audit()[-1].service is None
