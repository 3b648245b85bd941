"""The parts of the guard on a pod: its clock, its rules, its test fire, and where its key may be."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.remote.agent.activity.signals import read_clock
from primepods_magic.remote.agent.guard import key_file, notes, process, web
from primepods_magic.remote.agent.guard.clock import PodClock, make_anchor
from primepods_magic.remote.agent.guard.due import Due, find_due
from primepods_magic.remote.agent.guard.key_file import delete_key, find_memory, read_key, write_key
from primepods_magic.remote.agent.guard.on_end import run_on_end
from tests.support.waiting import eventually

POD = "0123456789abcdef0123456789abcdef"
NAMES = ("cells", "transfers", "cpu", "io", "logins", "gpu", "network")
DEADLINE = Due("deadline", 0.0, "deadline")
LIVE = {"id": POD, "status": "ACTIVE"}


@contextmanager
def serve(
    get: tuple[int, object] | list[tuple[int, object]] = (200, LIVE),
    delete: tuple[int, object] | list[tuple[int, object]] = (404, {}),
    ahead_s: float | list[float] | None = 0.0,
) -> Iterator[tuple[str, list[str]]]:
    """A service that gives these answers, the last one of several again and again, and what it was asked."""
    asked: list[str] = []

    def choose(given: Any) -> Any:
        if not isinstance(given, list):
            return given
        return given.pop(0) if len(given) > 1 else given[0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(*choose(get))

        def do_DELETE(self) -> None:
            self._answer(*choose(delete))

        def _answer(self, status: int, body: object) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization')}")
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response_only(status)
            if ahead_s is not None:
                self.send_header("Date", formatdate(time.time() + choose(ahead_s), usegmt=True))
            if status == 302:
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def fire(base_url: str, *, is_sandbox: bool = False) -> dict[str, Any]:
    order = {"base_url": base_url, "pod_id": POD, "is_sandbox": is_sandbox}
    return web.try_power({"order": order, "key": "secret-key-of-this-test"})


def test_a_guard_that_can_end_its_pod_is_armed() -> None:
    with serve() as (url, asked):
        assert fire(url)["obstacle"] == ""
    assert [line.split()[:1] for line in asked] == [["GET"], ["DELETE"]]
    assert asked[0].split()[1] == f"/api/v1/pods/{POD}"
    assert POD not in asked[1], "another pod, in the form of this one"
    assert len(asked[1].split()[1]) == len(asked[0].split()[1])
    with serve(ahead_s=86_400) as (url, _):
        assert fire(url, is_sandbox=True)["obstacle"] == ""


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"get": (404, {})}, "the pod cannot be read: it does not exist (404)"),
        ({"get": (401, {})}, "the pod cannot be read: the key is not valid (401)"),
        ({"get": (403, {})}, "the pod cannot be read: the key has no permission for it (403)"),
        ({"get": (500, {})}, "the pod cannot be read: the service fails (500)"),
        ({"get": (302, {})}, "the pod cannot be read: refused (302)"),
        ({"get": (200, b"<html>")}, "the pod cannot be read: the response is not JSON"),
        ({"get": (200, [1])}, "the pod cannot be read: the response is not an object"),
        ({"get": (200, {**LIVE, "id": "other"})}, "the service shows another pod"),
        (
            {"get": (200, {**LIVE, "status": "DELETING"})},
            "the service does not show the pod as live (DELETING)",
        ),
        ({"delete": (403, {})}, "a termination would fail: the key has no permission for it (403)"),
        ({"delete": (401, {})}, "a termination would fail: the key is not valid (401)"),
        ({"delete": (429, {})}, "a termination would fail: there were too many requests (429)"),
        ({"delete": (503, {})}, "a termination would fail: the service fails (503)"),
        ({"delete": (302, {})}, "a termination would fail: refused (302)"),
        ({"delete": (200, {})}, "the service confirms the termination of a pod that does not exist"),
        ({"ahead_s": None}, "the service's responses have no date"),
        ({"ahead_s": 660.0}, "the clocks of the pod and the service differ by 11 min"),
        ({"ahead_s": -660.0}, "the clocks of the pod and the service differ by 11 min"),
    ],
)
def test_whatever_keeps_a_guard_from_ending_its_pod_is_found(answers: dict[str, Any], words: str) -> None:
    with serve(**answers) as (url, asked):
        assert words in fire(url)["obstacle"]
    assert not [line for line in asked if "elsewhere" in line], "the key was sent somewhere else"


def test_the_pod_is_terminated_until_it_is_gone_and_once_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(process, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(process, "_LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(process, "_GONE_S", 0.1)

    def terminate(get: list[tuple[int, object]], delete: list[tuple[int, object]]) -> list[str]:
        path = write_key(find_memory(), "secret-key")
        anchor = make_anchor(time.time())
        with serve(get, delete) as (url, asked):
            order = {**make_order(), "pod_id": POD, "base_url": url, "is_sandbox": False, "anchor": anchor}
            order |= {"key_path": path, "armed_at": "", "held_until_s": 0.0}
            notes.write_note(notes.ORDER, order)
            assert process._Guard(order, "secret-key", None)._terminate_pod(DEADLINE)
        assert not Path(path).parent.exists()
        assert notes.read_note(notes.ORDER) is None
        return [line.split()[0] for line in asked]

    live, deleting, gone, down = (200, LIVE), (200, {**LIVE, "status": "DELETING"}), (404, {}), (503, {})
    assert terminate([live, deleting, deleting, gone], [(200, {})]).count("DELETE") == 1
    # Confirmed only the third time.
    assert terminate([live, live, live, gone], [down, (403, {}), (200, {})]).count("DELETE") == 3
    # Not shown by mistake: it is terminated all the same.
    assert terminate([gone, live, live, gone], [gone, (200, {})]).count("DELETE") == 2
    assert terminate([down, down, gone], [(200, {})]).count("DELETE") == 1


@pytest.mark.parametrize("change", ["held", "withdrawn", "busy"])
def test_a_pod_that_cannot_be_terminated_yet_can_be_kept(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # The agent that it starts to read the activity is not there.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "agent.pyz")])
    monkeypatch.setattr(process, "_FIRST_PAUSE_S", 30.0)
    path = write_key(find_memory(), "secret-key")
    with serve((200, LIVE), (503, {})) as (url, asked):
        order = {**make_order(), "pod_id": POD, "base_url": url, "is_sandbox": False, "key_path": path}
        order |= {"anchor": make_anchor(time.time()), "armed_at": "", "held_until_s": 0.0}
        notes.write_note(notes.ORDER, order)
        guard = process._Guard(order, "secret-key", None)
        # No agent says that it is idle.
        due = DEADLINE._replace(rule="idle") if change == "busy" else DEADLINE
        with ThreadPoolExecutor(1) as pool:
            gone = pool.submit(guard._terminate_pod, due)
            if change != "busy":
                eventually(lambda: (notes.read_note(notes.STATE) or {}).get("trouble"), "it has failed")
                assert notes.read_note(notes.STATE)["step"] == "", "it may be held now"
            if change == "withdrawn":
                notes.delete_note(notes.ORDER)
            if change == "held":
                notes.write_note(notes.ORDER, {**order, "held_until_s": time.time() + 3600})
            assert gone.result(timeout=20) is False
    deletions = sum(line.startswith("DELETE") for line in asked)
    assert deletions == (0 if change == "busy" else 1)
    assert notes.read_note(notes.STATE)["state"] == "armed"
    assert read_key(path) == "secret-key"
    delete_key(path)


def test_a_service_that_is_away_or_slow_or_not_encrypted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be reached (ConnectionRefusedError)" in fire("http://127.0.0.1:9")["obstacle"]
    assert fire("http://api.example")["obstacle"] == "the service is not reached over https"
    with serve() as (url, _):
        assert "TLS fails" in fire(url.replace("http", "https"))["obstacle"]
    monkeypatch.setattr(web, "_WHOLE_S", 0.0)
    with serve() as (url, _):
        assert "no response within" in fire(url)["obstacle"]


@pytest.mark.parametrize("wrong", ["service", "pod", "running"])
def test_no_single_clock_is_believed(wrong: str) -> None:
    now_s = time.time()
    anchor = make_anchor(now_s)
    if wrong == "pod":
        anchor["ahead_s"] += 86_400
    if wrong == "running":
        anchor["running_s"] -= 86_400
    clock = PodClock(anchor, is_sandbox=False)
    clock.note_service_time(now_s + (86_400 if wrong == "service" else 0))
    assert clock.read_now_s() == pytest.approx(now_s, abs=2)


def test_without_the_service_both_other_clocks_must_say_so_and_a_sandbox_has_its_own() -> None:
    anchor = make_anchor(1000.0)
    anchor["running_s"] -= 500
    assert PodClock(anchor, is_sandbox=False).read_now_s() == pytest.approx(1000, abs=2)
    sandbox = PodClock(anchor, is_sandbox=True)
    assert sandbox.read_now_s() is None
    sandbox.note_service_time(7000.0)
    assert sandbox.read_now_s() == pytest.approx(7000, abs=2)


def make_order(**rules: Any) -> dict[str, Any]:
    rules = {"ends_at": None, "idle_s": None, "max_total_usd": None, "on_end": None, **rules}
    return {"rules": rules, "gpu_count": 1, "speed": 1.0, "created_at_s": 0.0}


def make_activity(**changes: dict[str, Any]) -> dict[str, Any]:
    idle = {"state": "idle", "reason": "", "age_s": 1.0, "quiet_s": 90.0}
    return {"signals": [{"name": name, **idle, **changes.get(name, {})} for name in NAMES], "left_out": {}}


def test_idleness_needs_every_signal_for_the_whole_time() -> None:
    def find(activity: dict[str, Any] | None, **rules: Any) -> tuple[float | None, str]:
        due = find_due(make_order(idle_s=100.0, **rules), 0.0, {}, 5000.0, activity)
        return due.at_s, due.why

    assert find(make_activity())[0] == 5010.0
    assert find(None)[0] is None
    for name in NAMES:
        assert find(make_activity(**{name: {"state": "busy", "reason": "it runs"}})) == (None, "it runs")
        assert find(make_activity(**{name: {"state": "unknown", "reason": "lost"}}))[0] is None
        assert find(make_activity(**{name: {"age_s": 31.0}}))[0] is None
        assert find(make_activity(**{name: {"age_s": None}}))[0] is None
        assert find(make_activity(**{name: {"quiet_s": 5.0}}))[0] == 5095.0
        missing = make_activity()
        missing["signals"] = [each for each in missing["signals"] if each["name"] != name]
        assert find(missing)[0] is None
    assert find_due(make_order(idle_s=100.0), 6000.0, {}, 5000.0, make_activity()).at_s == 6000.0


def test_a_deadline_and_a_sum_do_not_wait() -> None:
    order = make_order(ends_at="1970-01-01T02:00:00Z", max_total_usd=3.0, idle_s=10.0)
    pod = {"priceHr": 2.0, "createdAt": "1970-01-01T01:00:00+00:00"}
    first = find_due(order, 0.0, pod, 3600.0, None)
    assert (first.rule, first.at_s) == ("deadline", 7200.0)
    held = find_due(order, 90_000.0, pod, 3600.0, None)
    assert (held.rule, held.at_s) == ("sum", 3600.0 + 5400)
    assert find_due(order, 90_000.0, pod, 20_000.0, None).at_s == 20_000.0
    unknown = find_due(make_order(max_total_usd=3.0), 0.0, {"priceHr": "2"}, 20_000.0, None)
    assert unknown.at_s is None
    assert "price is not known" in unknown.trouble


def test_a_key_is_kept_in_memory_only(tmp_path: Path) -> None:
    assert not key_file._is_in_memory(str(tmp_path)), "this test needs a folder on a disk"
    assert find_memory((str(tmp_path), "/nowhere")) == ""
    place = find_memory()
    assert place
    path = write_key(place, "secret-key")
    try:
        assert read_key(path) == "secret-key"
        Path(path).chmod(0o640)
        assert read_key(path) == ""
    finally:
        delete_key(path)
    assert not Path(path).parent.exists()
    on_disk = tmp_path / "primepods-guard-x"
    on_disk.mkdir()
    assert read_key(write_key(str(on_disk), "secret-key")) == ""
    delete_key(str(tmp_path / "other" / "key"))


def test_a_command_at_the_end_has_its_limit_and_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run_on_end("pwd > here; cat > nothing; echo $CUDA_VISIBLE_DEVICES > gpus", "2,3") == ""
    assert (tmp_path / "here").read_text().strip() == str(tmp_path)
    assert (tmp_path / "gpus").read_text() == "2,3\n"
    assert run_on_end("exit 7", None) == "exit code 7"
    monkeypatch.setattr("primepods_magic.remote.agent.guard.on_end._LIMIT_S", 0.1)
    began_s = read_clock()
    assert "not done" in run_on_end("sleep 60", None)
    assert read_clock() - began_s < 5
