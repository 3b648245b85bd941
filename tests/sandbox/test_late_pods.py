"""Pods that are listed late or begin late: kept in the database, not in a timer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import eventually

from .faulty import Faulty, faulty


def seen(sandbox: Faulty, pod_id: str) -> tuple[bool, bool, bool]:
    """Whether the list, the status and the details know a pod."""
    listed = [pod["id"] for pod in sandbox.get("pods").json()["data"]]
    assert len(listed) == sandbox.listed()
    status = [row["podId"] for row in sandbox.caller.status(pod_id)]
    return pod_id in listed, pod_id in status, sandbox.get(f"pods/{pod_id}").status_code == 200


def balance_usd(sandbox: Faulty) -> float:
    balance: float = sandbox.get("billing/wallet").json()["balance_usd"]
    return balance


def test_a_pod_that_is_listed_late_exists_and_bills(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        earlier = sandbox.create().json()
        full = balance_usd(sandbox)
        answer = sandbox.create("listed_late; seconds=30")
        assert answer.status_code == 200
        pod = answer.json()
        assert pod["status"] == "PROVISIONING"
        assert seen(sandbox, pod["id"]) == (False, False, False)
        assert seen(sandbox, earlier["id"]) == (True, True, True)
        sandbox.caller.advance(29)
        assert seen(sandbox, pod["id"]) == (False, False, False)
        assert full - balance_usd(sandbox) > 1.5 * 2.69 * 25 / 3600
        sandbox.caller.advance(1)
        assert seen(sandbox, pod["id"]) == (True, True, True)
        details = sandbox.get(f"pods/{pod['id']}").json()
        assert (details["status"], details["createdAt"]) == ("ACTIVE", pod["createdAt"])


def test_a_pod_that_is_not_listed_yet_can_be_deleted(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        pod_id = sandbox.create("listed_late; seconds=30").json()["id"]
        assert sandbox.caller.call("DELETE", f"pods/{pod_id}") == {"status": "DELETING"}
        sandbox.caller.advance(60)
        assert seen(sandbox, pod_id) == (False, True, False)
        assert sandbox.get("pods/history?limit=1").json()["data"][0]["id"] == pod_id


def test_a_pod_that_is_committed_late_is_not_there_before(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        full = balance_usd(sandbox)
        with pytest.raises(httpx.ReadError):
            sandbox.create("commits_late; seconds=30")
        (pod_id,) = ids(sandbox.db)
        sandbox.caller.advance(29)
        assert seen(sandbox, pod_id) == (False, False, False)
        # The disk is billed all the time.
        assert full - balance_usd(sandbox) < 0.001
        assert sandbox.get(f"pods/{pod_id}/logs").status_code == 404
        assert sandbox.caller.delete(f"/api/v1/pods/{pod_id}").status_code == 404
        assert sandbox.caller.happen(pod_id, "error").status_code == 404
        billed = sandbox.get("billing/wallet").json()["recent_billings"]
        assert pod_id not in [row["resource_id"] for row in billed]
        sandbox.caller.advance(1)
        assert seen(sandbox, pod_id) == (True, True, True)
        assert sandbox.get(f"pods/{pod_id}").json()["createdAt"] == "2026-09-14T08:00:30.000Z"
        sandbox.caller.advance(20)
        assert sandbox.get(f"pods/{pod_id}").json()["installationStatus"] == "COMPLETE"
        assert sandbox.caller.call("DELETE", f"pods/{pod_id}") == {"status": "DELETING"}


def test_an_order_that_is_refused_is_not_committed_late(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        with pytest.raises(httpx.ReadError):
            sandbox.caller.post("/api/v1/pods", headers={"X-Sandbox-Fault": "commits_late"}, json={})
        sandbox.caller.advance(60)
        assert (sandbox.listed(), sandbox.bought()) == (0, 0)


def test_the_list_is_in_the_order_in_which_pods_began(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        with pytest.raises(httpx.ReadError):
            sandbox.create("commits_late; seconds=30")
        (late,) = ids(sandbox.db)
        first = sandbox.create().json()["id"]
        sandbox.caller.advance(40)
        last = sandbox.create().json()["id"]
        pages = [sandbox.get(f"pods?limit=1&offset={offset}").json()["data"][0]["id"] for offset in range(3)]
        assert pages == [first, late, last]


def test_lateness_outlives_the_sandbox(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        listed_late = sandbox.create("listed_late; seconds=30").json()["id"]
        with pytest.raises(httpx.ReadError):
            sandbox.create("commits_late; seconds=30")
        (committed_late,) = set(ids(sandbox.db)) - {listed_late}
    with faulty(tmp_path, clock=None) as sandbox:
        assert sandbox.listed() == 0
        sandbox.caller.advance(30)
        assert seen(sandbox, listed_late) == seen(sandbox, committed_late) == (True, True, True)


def test_on_a_running_clock_lateness_passes_by_itself(tmp_path: Path) -> None:
    with faulty(tmp_path, clock="running", speed=20.0) as sandbox:
        assert sandbox.create("listed_late; seconds=20").status_code == 200
        with pytest.raises(httpx.ReadError):
            sandbox.create("commits_late; seconds=20")
        assert sandbox.bought() == 2
        assert sandbox.listed() < 2
        eventually(lambda: sandbox.listed() == 2, "both pods are listed")


def ids(db: Path) -> list[str]:
    """The ids of all pods in the file, whether they have begun or not."""
    with closing(sqlite3.connect(db)) as connection:
        return [pod_id for (pod_id,) in connection.execute("SELECT id FROM pods ORDER BY number")]
