"""What a database file keeps: everything, whoever is killed, and whoever else uses it."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from primepods_magic.sandbox import start
from tests.support.waiting import eventually

from .conftest import Caller, Spawn


def test_a_killed_sandbox_loses_nothing(spawn: Spawn, tmp_path: Path) -> None:
    db = str(tmp_path / "pods.sqlite")
    first = spawn("--db", db, "--speed", "20")
    with Caller(first.url) as caller:
        pod = caller.order(name="survivor")
        about = caller.get("/sandbox").json()
    first.end(signal.SIGKILL)
    second = spawn("--db", db)
    with Caller(second.url) as caller:
        (found,) = caller.call("GET", "pods")["data"]
        assert {key: found[key] for key in ("id", "name", "createdAt", "priceHr")} == {
            key: pod[key] for key in ("id", "name", "createdAt", "priceHr")
        }
        again = caller.get("/sandbox").json()
        assert again["instance"] == about["instance"]
        assert again["clock"]["speed"] == 20
        assert again["clock"]["now"] > about["clock"]["now"]
        # Twenty seconds of the sandbox's pass in one of ours, and the first sandbox's seconds count.
        eventually(lambda: caller.status(pod["id"])[0]["installationProgress"] == 100, "installed", within=20)


def test_a_stepped_clock_stands_where_it_stood(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with start(db, clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        pod_id = caller.order()["id"]
        caller.advance(5)
        before = caller.call("GET", f"pods/{pod_id}")
    with start(db) as sandbox, Caller(sandbox.url) as caller:
        assert caller.call("GET", f"pods/{pod_id}") == before
        assert before["installationStatus"] == "IN_PROGRESS"
        caller.advance(10)
        assert caller.call("GET", f"pods/{pod_id}")["installationStatus"] == "COMPLETE"


def test_the_clock_can_change_its_mode_and_goes_on_from_where_it_is(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with start(db, clock="stepped"):
        pass
    with start(db, clock="running", speed=1000) as sandbox, Caller(sandbox.url) as caller:
        eventually(
            lambda: caller.get("/sandbox").json()["clock"]["now"] > "2026-09-14T08:01:00",
            "a minute of the sandbox",
            within=20,
        )
    with start(db, clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        assert caller.get("/sandbox").json() == caller.get("/sandbox").json()


def test_two_sandboxes_share_one_file(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with (
        start(db, clock="stepped") as one,
        start(db) as two,
        Caller(one.url) as left,
        Caller(two.url) as right,
        ThreadPoolExecutor(8) as pool,
    ):
        ordered = list(pool.map(lambda index: (left, right)[index % 2].order()["id"], range(40)))
        assert len(set(ordered)) == 40
        assert left.call("GET", "pods") == right.call("GET", "pods")
        assert left.call("GET", "pods")["total_count"] == 40
        ended = pool.map(
            lambda pair: (left, right)[pair[0] % 2].delete(f"/api/v1/pods/{pair[1]}").status_code,
            enumerate(ordered[1:]),
        )
        assert set(ended) == {200}
        left.advance(10)
        assert right.call("GET", "pods")["total_count"] == 1
        assert right.status(ordered[0])[0]["status"] == "ACTIVE"


def test_two_processes_may_lay_out_the_same_new_file(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with ThreadPoolExecutor(4) as pool:
        sandboxes = list(pool.map(lambda _: start(db, clock="stepped"), range(4)))
    try:
        instances = set()
        for sandbox in sandboxes:
            with Caller(sandbox.url) as caller:
                instances.add(caller.get("/sandbox").json()["instance"])
                assert caller.call("GET", "pods/history")["total_count"] == 180
        assert len(instances) == 1
    finally:
        for sandbox in sandboxes:
            sandbox.stop()


def test_secrets_are_not_kept(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with start(db, clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        secrets = {"jupyterPassword": "hush-hush", "envVars": [{"key": "TOKEN", "value": "hush-hush"}]}
        pod_id = caller.order(**secrets)["id"]
        caller.advance(20)
        assert "hush-hush" not in caller.get("/api/v1/pods").text
        assert "hush-hush" not in caller.get(f"/api/v1/pods/{pod_id}/logs").text
    assert b"hush-hush" not in db.read_bytes()
