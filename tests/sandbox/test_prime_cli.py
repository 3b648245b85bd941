"""The official command line client, unchanged, against the sandbox."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from primepods_magic.sandbox import start
from tests.support.soak import pick

from .conftest import Caller, Prime

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(("dialect", "shown"), [("published", "ACTIVE"), ("spec", "INSTALLING")])
def test_prime_reads_pods(prime: Prime, dialect: str, shown: str) -> None:
    # For prime, only the published word FINISHED is the end of an installation.
    with start(clock="stepped", dialect=dialect) as sandbox, Caller(sandbox.url) as caller:
        pod = caller.order(name="for-prime")
        caller.advance(20)
        listed = prime(sandbox.url, "pods", "list", "--output", "json")
        assert listed.returncode == 0, listed.stderr
        (row,) = json.loads(listed.stdout)["pods"]
        assert (row["id"], row["name"], row["status"]) == (pod["id"], "for-prime", shown)
        plain = prime(sandbox.url, "pods", "list", "--plain")
        assert plain.returncode == 0, plain.stderr
        assert pod["id"] in plain.stdout

        status = prime(sandbox.url, "pods", "status", pod["id"], "--output", "json")
        assert status.returncode == 0, status.stderr
        told = json.loads(status.stdout)
        assert told["status"] == "ACTIVE"
        assert told["ip"] == caller.status(pod["id"])[0]["ip"]


def test_prime_reads_history(prime: Prime) -> None:
    with start(clock="stepped", dialect="published") as sandbox, Caller(sandbox.url) as caller:
        run = prime(sandbox.url, "pods", "history", "--output", "json")
        assert run.returncode == 0, run.stderr
        told = json.loads(run.stdout)
        expected = caller.call("GET", "pods/history")["data"]
        rows = next(value for value in told.values() if isinstance(value, list))
        assert {row["id"] for row in rows} == {row["id"] for row in expected}


@pytest.mark.parametrize("dialect", pick(["published"], ["published", "spec"]))
def test_prime_finds_rents_and_ends_a_pod(prime: Prime, dialect: str) -> None:
    with start(clock="stepped", dialect=dialect) as sandbox, Caller(sandbox.url) as caller:
        found = prime(sandbox.url, "availability", "list", "--output", "json", "--gpu-type", "H100_80GB")
        assert found.returncode == 0, found.stderr
        assert "n3-H100x1" in found.stdout
        types = prime(sandbox.url, "availability", "gpu-types", "--output", "json")
        assert "H100_80GB" in types.stdout, types.stderr

        options = ("--cloud-id", "n3-H100x2", "--name", "demo-1", "--disk-size", "400", "--vcpus", "32")
        options += ("--memory", "256", "--image", "ubuntu_22_cuda_12", "--yes", "--plain")
        bought = prime(sandbox.url, "pods", "create", *options)
        assert "Successfully created pod" in bought.stdout, bought.stdout + bought.stderr
        (pod,) = caller.call("GET", "pods")["data"]
        assert (pod["name"], pod["gpuCount"]) == ("demo-1", 2)

        ended = prime(sandbox.url, "pods", "terminate", pod["id"], "--yes", "--plain")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        caller.advance(2)
        assert caller.call("GET", "pods")["data"] == []


def told(run: subprocess.CompletedProcess[str]) -> Any:
    """What was printed as JSON."""
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def test_prime_lists_everything_that_can_be_had(prime: Prime) -> None:
    with start(clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        rows = told(prime(sandbox.url, "availability", "list", "--output", "json"))["gpu_resources"]
        served = caller.call("GET", "availability/gpus")["items"]
        served += caller.call("GET", "availability/gpus", params={"page": 2})["items"]
        served += caller.call("GET", "availability/multi-node")["items"]
        assert {row["cloud_id"] for row in rows} == {row["cloudId"] for row in served}
        few = told(prime(sandbox.url, "availability", "list", "--gpu-count", "32", "--output", "json"))
        assert {row["cloud_id"] for row in few["gpu_resources"]} == {"pc-H100x32", "nb-H100x32"}
        types = told(prime(sandbox.url, "availability", "gpu-types", "--output", "json"))
        assert set(types["gpu_types"]) == set(caller.call("GET", "availability/gpu-summary"))
        disks = told(prime(sandbox.url, "availability", "disks", "--output", "json"))["disks"]
        assert len(disks) == caller.call("GET", "availability/disks")["totalCount"]
        assert disks[0]["location"] == "CA (CANADA-1)"


def test_prime_shows_pods_that_are_not_simply_up(prime: Prime) -> None:
    with start(clock="stepped", dialect="published") as sandbox, Caller(sandbox.url) as caller:
        cluster = caller.order("pc-H200x16", name="cluster")
        stopped = caller.order(name="stopped")
        caller.advance(60)
        caller.happen(stopped["id"], "stop")
        rows = told(prime(sandbox.url, "pods", "list", "--output", "json"))["pods"]
        assert {row["name"]: row["status"] for row in rows} == {"cluster": "ACTIVE", "stopped": "STOPPED"}
        shown = prime(sandbox.url, "pods", "status", cluster["id"], "--plain").stdout
        for address in caller.status(cluster["id"])[0]["ip"]:
            assert address in shown
        assert "STOPPED" in prime(sandbox.url, "pods", "status", stopped["id"], "--plain").stdout


def test_prime_buys_renames_and_ends_a_disk(prime: Prime) -> None:
    with start(clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        place = ("--provider-type", "hyperstack", "--data-center-id", "CANADA-1", "--country", "CA")
        options = (
            "--size",
            "100",
            "--name",
            "scratch",
            *place,
            "--cloud-id",
            "n3-H100x1",
            "--yes",
            "--plain",
        )
        bought = prime(sandbox.url, "disks", "create", *options)
        disk = caller.call("GET", "disks")["data"][-1]
        assert f"Successfully created disk {disk['id']}" in bought.stdout, bought.stdout + bought.stderr
        caller.advance(2)
        rows = told(prime(sandbox.url, "disks", "list", "--output", "json"))["disks"]
        assert [(row["name"], row["status"]) for row in rows] == [
            ("datasets", "ACTIVE"),
            ("scratch", "ACTIVE"),
        ]
        renamed = prime(sandbox.url, "disks", "update", disk["id"], "--name", "corpus", "--plain")
        assert renamed.returncode == 0, renamed.stdout + renamed.stderr
        assert "corpus" in prime(sandbox.url, "disks", "get", disk["id"], "--output", "json").stdout
        ended = prime(sandbox.url, "disks", "terminate", disk["id"], "--yes", "--plain")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert caller.call("GET", f"disks/{disk['id']}")["status"] == "DELETING"


def test_prime_reads_the_account(prime: Prime) -> None:
    with start(clock="stepped", dialect="published") as sandbox, Caller(sandbox.url) as caller:
        who = prime(sandbox.url, "whoami", "--plain").stdout
        assert "Ada Lovelace" in who
        assert "instances" in who
        wallet = told(prime(sandbox.url, "wallet", "--output", "json"))
        served = caller.call("GET", "billing/wallet")
        assert {key: wallet[key] for key in ("wallet_id", "balance_usd", "total_billings")} == {
            key: served[key] for key in ("wallet_id", "balance_usd", "total_billings")
        }
        teams = told(prime(sandbox.url, "teams", "list", "--output", "json"))["teams"]
        assert [team["name"] for team in teams] == ["Analytical Engines", "Bernoulli Numbers"]
