"""The official command line client, unchanged, against the sandbox."""

from __future__ import annotations

import json

import pytest

from primepods_magic.sandbox import start

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


@pytest.mark.parametrize("dialect", ["published", "spec"])
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


def test_prime_reads_the_account(prime: Prime) -> None:
    with start(clock="stepped", dialect="published") as sandbox:
        assert "Ada Lovelace" in prime(sandbox.url, "whoami", "--plain").stdout
        assert "1000" in prime(sandbox.url, "wallet", "--output", "json").stdout
        assert "Analytical Engines" in prime(sandbox.url, "teams", "list", "--output", "json").stdout
        assert "disk_id_1" in prime(sandbox.url, "disks", "list", "--output", "json").stdout
