"""What becomes of a pod, instant by instant, under a clock that only the test moves."""

from __future__ import annotations

import pytest

from .conftest import Caller


def test_a_pod_comes_up_and_installs(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    seen = []
    for seconds in (0, 1.999, 0.001, 1.499, 0.001):
        caller.advance(seconds)
        (row,) = caller.status(pod_id)
        seen.append(
            (row["status"], row["installationStatus"], row["installationProgress"], row["ip"] is None)
        )
    assert seen == [
        ("PROVISIONING", "PENDING", 0, True),
        ("PROVISIONING", "PENDING", 0, True),
        ("PENDING", "PENDING", 0, True),
        ("PENDING", "PENDING", 0, True),
        ("ACTIVE", "IN_PROGRESS", 0, False),
    ]
    percents = []
    for _ in range(75):
        caller.advance(0.1)
        percents.append(caller.status(pod_id)[0]["installationProgress"])
    assert percents == sorted(percents)
    assert len(set(percents)) > 40
    assert percents[40] < 100 == percents[-1]
    assert any(90 < percent < 100 for percent in percents)
    assert caller.status(pod_id)[0]["installationStatus"] == "COMPLETE"


def test_all_eight_states_can_be_seen(caller: Caller) -> None:
    seen = set()

    def look(pod_id: str) -> None:
        seen.add(caller.status(pod_id)[0]["status"])

    stopped, erring, lost, deleted = (caller.order(name=name)["id"] for name in ("a", "b", "c", "d"))
    look(stopped)
    caller.advance(2.5)
    look(stopped)
    caller.advance(2.5)
    look(stopped)
    for pod_id, event in ((stopped, "stop"), (erring, "error"), (lost, "lose")):
        assert caller.happen(pod_id, event).status_code == 200
        look(pod_id)
    caller.call("DELETE", f"pods/{deleted}")
    look(deleted)
    caller.advance(2)
    look(deleted)
    assert seen == {
        "PROVISIONING",
        "PENDING",
        "ACTIVE",
        "STOPPED",
        "ERROR",
        "DELETING",
        "TERMINATED",
        "UNKNOWN",
    }


def test_a_stopped_pod_has_no_connection_and_can_be_started(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(20)
    row = caller.happen(pod_id, "stop").json()
    assert (row["status"], row["sshConnection"], row["ip"]) == ("STOPPED", [None], [None])
    assert caller.happen(pod_id, "start").json()["status"] == "PENDING"
    caller.advance(1.5)
    (row,) = caller.status(pod_id)
    assert (row["status"], row["installationStatus"]) == ("ACTIVE", "COMPLETE")
    assert row["sshConnection"] == f"root@{row['ip']} -p 22"


def test_the_installation_waits_while_the_pod_is_stopped(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(5)
    at_stop = caller.happen(pod_id, "stop").json()["installationProgress"]
    caller.advance(3600)
    assert caller.status(pod_id)[0]["installationProgress"] == at_stop


def test_one_offer_never_installs(caller: Caller) -> None:
    pod_id = caller.order("td-RTX4090x1")["id"]
    caller.advance(60)
    pod = caller.call("GET", f"pods/{pod_id}")
    assert (pod["status"], pod["installationStatus"], pod["installationProgress"]) == ("ACTIVE", "FAILED", 60)
    assert "dkms" in pod["installationFailure"]
    assert "FAILED" in caller.call("GET", f"pods/{pod_id}/logs")["logs"].splitlines()[-1]


def test_an_installation_can_be_made_to_fail(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(5)
    row = caller.happen(pod_id, "fail_installation").json()
    assert row["installationStatus"] == "FAILED"
    caller.advance(60)
    assert caller.status(pod_id)[0]["installationProgress"] == row["installationProgress"]
    assert caller.happen(pod_id, "fail_installation").status_code == 409


def test_deleting_takes_a_moment_and_ends_in_the_history(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(20)
    rows_before = caller.call("GET", "pods/history")["total_count"]
    assert caller.call("DELETE", f"pods/{pod_id}") == {"status": "DELETING"}
    assert caller.call("DELETE", f"pods/{pod_id}") == {"status": "DELETING"}
    assert caller.call("GET", "pods")["data"][0]["status"] == "DELETING"
    assert caller.call("GET", "pods/history")["total_count"] == rows_before
    caller.advance(2)
    assert caller.call("GET", "pods")["total_count"] == 0
    assert caller.get(f"/api/v1/pods/{pod_id}").status_code == 404
    assert caller.delete(f"/api/v1/pods/{pod_id}").status_code == 404
    history = caller.call("GET", "pods/history", params={"limit": 1})
    assert history["total_count"] == rows_before + 1
    assert history["data"][0]["id"] == pod_id
    assert history["data"][0]["terminatedAt"] == "2026-09-14T08:00:22.000Z"


def test_a_reclaimed_pod_is_gone_at_once(caller: Caller) -> None:
    pod_id = caller.order("NVIDIA H100 spot")["id"]
    caller.advance(20)
    assert caller.happen(pod_id, "reclaim").json()["status"] == "TERMINATED"
    assert caller.call("GET", "pods/history", params={"limit": 1})["data"][0]["id"] == pod_id
    assert caller.happen(pod_id, "stop").status_code == 404


def test_what_cannot_happen_is_refused(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    for event in ("stop", "start"):
        answer = caller.happen(pod_id, event)
        assert answer.status_code == 409
        assert "PROVISIONING" in answer.json()["detail"]


def test_money_is_the_integral_of_the_rates(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(2 + 3600)  # two seconds are free, an hour is not
    caller.happen(pod_id, "stop")
    caller.advance(7200)  # two hours at the stopped rate of a tenth
    caller.call("DELETE", f"pods/{pod_id}")
    caller.advance(2)
    (row,) = caller.call("GET", "pods/history", params={"limit": 1})["data"]
    expected_usd = 2.69 * 1 + 0.269 * 2 + 2.69 * 2 / 3600
    assert row["totalBilledPrice"] == pytest.approx(expected_usd, abs=1e-6)
    # The price is that of running; what it comes to also depends on the states.
    assert row["priceHr"] == 2.69
    hours = (2 + 3600 + 7200 + 2) / 3600
    spent_usd = expected_usd + 0.035 * hours
    assert caller.call("GET", "billing/wallet")["balance_usd"] == pytest.approx(1000 - spent_usd, abs=1e-4)


def test_the_connection_may_come_after_the_address(caller: Caller) -> None:
    pod_id = caller.order("dc1-H100x1")["id"]
    caller.advance(4)
    (row,) = caller.status(pod_id)
    assert (row["status"], row["sshConnection"]) == ("ACTIVE", None)
    assert row["ip"] is not None
    caller.advance(1.5)
    assert caller.status(pod_id)[0]["sshConnection"] == f"root@{row['ip']} -p 22"


def test_the_nodes_of_a_cluster_come_up_one_after_another(caller: Caller) -> None:
    pod = caller.order("pc-H200x16")
    assert pod["clusterId"]
    caller.advance(3.5)
    first, second = caller.status(pod["id"])[0]["sshConnection"]
    assert first.startswith("ubuntu@")
    assert second is None
    caller.advance(1)
    assert None not in caller.status(pod["id"])[0]["sshConnection"]


def test_the_log_grows_with_the_clock_and_honours_tail(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    lengths = []
    for _ in range(5):
        lengths.append(len(caller.call("GET", f"pods/{pod_id}/logs")["logs"].splitlines()))
        caller.advance(2.5)
    assert lengths == sorted(set(lengths))
    whole = caller.call("GET", f"pods/{pod_id}/log")["logs"].splitlines()
    assert caller.call("GET", f"pods/{pod_id}/log", params={"tail": 3})["logs"].splitlines() == whole[-3:]
    assert caller.call("GET", f"pods/{pod_id}/log", params={"tail": 0})["logs"] == ""


def test_answers_are_dated_by_the_sandboxs_clock(caller: Caller) -> None:
    caller.advance(3600)
    answer = caller.get("/api/v1/pods")
    assert answer.headers.get_list("date") == ["Mon, 14 Sep 2026 09:00:00 GMT"]
    assert "server" not in answer.headers
