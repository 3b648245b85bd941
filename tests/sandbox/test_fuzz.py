"""Requests that schemathesis makes up from the OpenAPI document, and whether the answers are as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import httpx
import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.schemas.enums import DIALECTS, Dialect
from tests.support import soak

from .conftest import PROJECT, Caller

SEED = 7

# missing_required_header wants 401 where no key is sent; the service answers 403.
# positive_data_acceptance takes every body of the right types for an order that can be met.
# use_after_free wants what is deleted gone at once; a pod is DELETING first, for as long as the clock stands.
LEFT_OUT = "missing_required_header,positive_data_acceptance,use_after_free"

# Any text is an id, "false" and "null" too, but schemathesis takes those in a list for values of
# another type. And a rule of faults takes its numbers as text too, as they are in a header.
CONFIG = """
[[operations]]
include-path-regex = "/(status|gpus|multi-node|disks)$"
include-method = "GET"

[operations.checks]
negative_data_rejection.enabled = false

[[operations]]
include-path = "/sandbox/faults"
include-method = "PUT"

[operations.checks]
negative_data_rejection.enabled = false
"""

# They move what all others stand on, so they have sandboxes to themselves.
OWN = ("^/sandbox/(clock|wallet|offers)$", "^/sandbox/faults$", "^/sandbox/pods/[^/]+/machine$")


def _inhabited(caller: Caller) -> dict[str, list[str]]:
    """Fill a sandbox with some of everything, and name it."""
    pods = [caller.order(name)["id"] for name in ("n3-H100x1", "n3-H100x1", "n3-H100x1", "n3-H100x1")]
    caller.advance(300)
    caller.happen(pods[0], "stop")
    caller.happen(pods[1], "error")
    lists = {"disk_id": "disks", "key_id": "ssh_keys", "team_id": "user/teams"}
    ids = {
        name: [row.get("id") or row["teamId"] for row in caller.call("GET", path)["data"]]
        for name, path in lists.items()
    }
    return {"pod_id": pods, **ids}


def _fuzz(
    url: str, scratch: Path, ids: dict[str, list[str]], examples: int, *options: str
) -> dict[str, set[int]]:
    """Which statuses every operation answered; fails with schemathesis' report."""
    config, count = scratch / "schemathesis.toml", scratch / "count"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{url}/openapi.json", "--header", "Authorization: Bearer sandbox", "--no-color"]
    command += ["--seed", str(SEED), "--max-examples", str(examples), "--generation-database", "none"]
    command += ["--warnings", "off", "--exclude-checks", LEFT_OUT, *options]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.sandbox.fuzz_hooks",
        "FUZZ_IDS": json.dumps(ids),
        "FUZZ_COUNT": str(count),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))),
    }
    done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    answered: dict[str, set[int]] = defaultdict(set)
    for line in count.read_text(encoding="utf-8").splitlines():
        status, _, operation = line.partition(" ")
        answered[operation].add(int(status))
    return answered


def _operations(url: str) -> set[str]:
    paths = httpx.get(f"{url}/openapi.json", trust_env=False).json()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


# test_dialects.py and test_contract.py check every dialect in a quick run, too.
@pytest.mark.parametrize("dialect", soak.pick(("published",), DIALECTS))
def test_every_answer_is_one_that_the_document_promises(dialect: Dialect, tmp_path: Path) -> None:
    with (
        start(clock="stepped", dialect=dialect, history=20, seed=SEED) as sandbox,
        Caller(sandbox.url) as caller,
    ):
        ids = _inhabited(caller)
        others = ["--exclude-path-regex", "|".join(OWN)]
        answered = _fuzz(sandbox.url, tmp_path, ids, soak.pick(2, 400), *others)
        expected = {
            name for name in _operations(sandbox.url) if not re.search("|".join(OWN), name.split()[1])
        }
    never = {name for name in expected if 200 not in answered[name]}
    assert not never, "never answered but with refusals"


@pytest.mark.parametrize("path", OWN)
def test_neither_does_what_the_sandbox_itself_is_told_break_it(path: str, tmp_path: Path) -> None:
    settings = {"clock": "stepped", "history": 20, "seed": SEED, "machines": "machine" in path}
    with start(**settings) as sandbox, Caller(sandbox.url) as caller:
        ids = _inhabited(caller)
        answered = _fuzz(sandbox.url, tmp_path, ids, soak.pick(10, 400), "--include-path-regex", path)
        assert all(200 in statuses for statuses in answered.values())
        assert caller.put("/sandbox/faults", json="none").status_code == 200
        assert caller.get("/api/v1/pods").status_code == 200
