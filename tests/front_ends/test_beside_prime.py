"""What the official client shows users of pods, ours shows too, and each sees what the other did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.conftest import Prime
from tests.sandbox.conftest import prime as prime
from tests.sandbox.conftest import prime_program as prime_program
from tests.support.sandbox_control import SandboxControl, controlled

Ask = Callable[..., Any]
CREATE = "%pod_create --gpu H100_80GB --name train --wait"


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    """One in the words that the official client understands."""
    with controlled(clock="stepped", dialect="published") as control:
        yield control


@pytest.fixture
def ask(prime: Prime, sandbox: SandboxControl) -> Ask:
    """Run the official client against the test's sandbox, and return what it says."""

    def run(*words: str) -> Any:
        done = prime(sandbox.url, *words, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def pick(rows: Any, *keys: str) -> set[tuple[Any, ...]]:
    """Return the values of some keys of JSON rows."""
    return {tuple(row[key] for key in keys) for row in rows}


def take(frame: Any, *columns: str) -> set[tuple[Any, ...]]:
    """Return the values of some columns of a DataFrame."""
    return set(frame[list(columns)].itertuples(index=False, name=None))


def test_offers_gpus_and_disk_offers(shell: Any, ask: Ask) -> None:
    narrow = ("--gpu-type", "H100_80GB", "--gpu-count", "1", "--socket", "SXM5")
    theirs = pick(ask("availability", "list", *narrow)["gpu_resources"], "cloud_id")
    assert theirs
    assert take(shell.run("%pods avail --gpu H100_80GB --count 1 --socket SXM5"), "cloud_id") == theirs
    gpus = ask("availability", "gpu-types")["gpu_types"]
    assert set(shell.run("%pods gpus")["gpu"]) == set(gpus)
    offered = ask("availability", "disks")["disks"]
    assert len(shell.run("%pods disks offers")) == len(offered)


def test_a_pod_from_its_creation_to_its_end(shell: Any, ask: Ask, sandbox: SandboxControl) -> None:
    pod = shell.run(CREATE)
    listed = ask("pods", "list")["pods"]
    assert pick(listed, "id", "name", "status") == take(shell.run("%pods ls"), "id", "name", "status")
    assert pick(listed, "id") == {(pod.id,)}
    shown = ask("pods", "status", pod.id)
    assert (shown["status"], shown["ssh"]) == ("ACTIVE", shell.run("%pods ssh train").removeprefix("ssh "))
    shell.run("%pods rm train -y")
    assert ask("pods", "list")["pods"] == []
    rows = ask("pods", "history")
    theirs = next(value for value in rows.values() if isinstance(value, list))
    ours = shell.run("%pods history")
    assert {row["id"] for row in theirs} <= set(ours["id"])
    assert pod.id in set(ours["id"])


def test_a_disk_from_its_creation_to_its_end(shell: Any, ask: Ask, sandbox: SandboxControl) -> None:
    disk_id = str(shell.run("%pods disks create corpus --size 100 -y")["id"].iloc[0])
    sandbox.advance(60)
    listed = ask("disks", "list")["disks"]
    assert pick(listed, "id", "name", "status") == take(shell.run("%pods disks"), "id", "name", "status")
    assert (disk_id, "corpus") in pick(listed, "id", "name")
    shell.run("%pods disks rename corpus texts")
    assert ask("disks", "get", disk_id)["name"] == "texts"
    shell.run("%pods disks rm texts -y")
    assert "texts" not in {row["name"] for row in ask("disks", "list")["disks"]}


def test_the_account(shell: Any, ask: Ask) -> None:
    balance_usd = shell.run("%pods")["balance_usd"].iloc[0]
    assert ask("wallet")["balance_usd"] == pytest.approx(balance_usd)
    teams = ask("teams", "list")["teams"]
    assert pick(teams, "name") == take(shell.run("%pods teams"), "name")
    members = ask("teams", "members", "--team-id", teams[0]["teamId"])
    theirs = next(value for value in members.values() if isinstance(value, list))
    assert len(shell.run(f"%pods teams '{teams[0]['name']}'")) == len(theirs)
