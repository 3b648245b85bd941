"""Which requests get which faults: profiles, rules, the header, and that all of it happens again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.faults.parsing import PROFILES, read_header, read_rules, read_selection
from primepods_magic.sandbox.faults.rules import (
    AFTER,
    BEFORE,
    FAULT_KINDS,
    IN_ANSWER,
    FaultKind,
    Faults,
    Rule,
    can_happen,
    route_of,
)

from .conftest import PROJECT, Caller, Spawn
from .faulty import Faulty, faulty, order

REQUESTS = 4000

# Of a hundred creates in the launch profile with the default seed.
EXACTLY = {
    None: 72,
    "latency": 2,
    "reset_before": 3,
    "429": 1,
    "500_before": 1,
    "503_before": 1,
    "reset_after": 1,
    "html_after": 1,
    "502_after": 3,
    "truncated": 1,
    "html_ok": 1,
    "wrong_type": 1,
    "not_json": 1,
    "slow_body": 1,
    "listed_late": 5,
    "commits_late": 5,
}


def decided(profile: str, method: str, path: str, *, seed: int = 7, requests: int = REQUESTS) -> Counter[Any]:
    """How many of so many requests get each fault; None: none."""
    name, rules = read_selection(profile)
    faults = Faults(rules, profile=name, seed=seed)
    found = [faults.decide(method, path, None) for _ in range(requests)]
    return Counter(fault and fault.kind for fault in found)


def share(counts: Counter[Any], kinds: tuple[FaultKind, ...]) -> float:
    return sum(counts[kind] for kind in kinds) / REQUESTS


# Profiles


@pytest.mark.parametrize(("profile", "wanted"), [("launch", 0.3), ("flaky", 0.1), ("none", 0), ("down", 1)])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/pods"), ("GET", "/pods"), ("GET", "/pods/x"), ("DELETE", "/pods/x")]
)
def test_a_profile_spoils_its_share(profile: str, wanted: float, method: str, path: str) -> None:
    counts = decided(profile, method, path)
    assert 1 - counts[None] / REQUESTS == pytest.approx(wanted, abs=0.02)


def test_the_launch_profile_spoils_creates_in_every_way() -> None:
    counts = decided("launch", "POST", "/pods")
    for kinds in (BEFORE, AFTER, IN_ANSWER, ("listed_late",), ("commits_late",)):
        assert share(counts, kinds) == pytest.approx(0.06, abs=0.012)
    assert set(counts) == {None, *FAULT_KINDS} - {"empty_availability"}


@pytest.mark.parametrize(("method", "path"), [("GET", "/availability/gpus"), ("DELETE", "/pods/x")])
def test_the_launch_profile_spoils_other_requests_before_and_after(method: str, path: str) -> None:
    counts = decided("launch", method, path)
    for kinds in (BEFORE, AFTER, IN_ANSWER):
        assert share(counts, kinds) == pytest.approx(0.1, abs=0.015)
    assert set(counts) == {None, *BEFORE, *AFTER, *IN_ANSWER}


def test_in_the_launch_profile_nothing_is_later_than_a_second_and_a_half() -> None:
    lasting = [
        rule.seconds_of(kind) for rule in PROFILES["launch"] for kind in FAULT_KINDS if kind == rule.fault
    ]
    assert 0 < max(lasting) <= 1.5


def test_exactly_these_of_a_hundred_creates_are_spoilt() -> None:
    # A change here changes what every test with a profile and a seed goes through.
    assert decided("launch", "POST", "/pods", requests=100) == EXACTLY


def test_the_share_holds_over_http(tmp_path: Path) -> None:
    with faulty(tmp_path, faults="launch") as sandbox:
        for _ in range(100):
            sandbox.outcome("POST", "pods", json={})
        assert sandbox.injected() == {kind: count for kind, count in EXACTLY.items() if kind}


# Repeatability


def outcomes(folder: Path, seed: int, *, others: bool = False) -> list[object]:
    """What forty creates come to; ``others``: with different requests in between."""
    folder.mkdir()
    found = []
    with faulty(folder, faults="launch", seed=seed) as sandbox:
        for _ in range(40):
            if others:
                sandbox.outcome("GET", "pods")
                sandbox.outcome("POST", "pods/none")
            found.append(sandbox.outcome("POST", "pods", json=order()))
        return [*found, sandbox.bought()]


def test_the_same_seed_spoils_the_same_requests(tmp_path: Path) -> None:
    once = outcomes(tmp_path / "once", 7)
    assert outcomes(tmp_path / "again", 7) == once
    assert outcomes(tmp_path / "among-others", 7, others=True) == once
    assert outcomes(tmp_path / "other-seed", 8) != once


def test_all_pods_are_one_route() -> None:
    one, many = (Faults(PROFILES["launch"], seed=7) for _ in range(2))
    assert [one.decide("GET", "/pods/a", None) for _ in range(50)] == [
        many.decide("GET", f"/pods/{number}", None) for number in range(50)
    ]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/pods", "/pods"),
        ("/pods/status", "/pods/status"),
        ("/pods/history", "/pods/history"),
        ("/pods/abc", "/pods/{id}"),
        ("/pods/abc/log", "/pods/{id}/log"),
        ("/teams/abc/members", "/teams/{id}/members"),
        ("/disks/abc", "/disks/{id}"),
        ("/availability/gpus", "/availability/gpus"),
        ("", ""),
    ],
)
def test_a_route_names_no_id(path: str, route: str) -> None:
    assert route_of(path) == route


# Rules


def test_a_rule_holds_for_its_method_path_and_times(tmp_path: Path) -> None:
    rules = [{"fault": "503_before", "method": "get", "path": "/api/v1/pods/", "times": 2, "retry_after": 4}]
    with faulty(tmp_path, faults=rules) as sandbox:
        assert sandbox.create().status_code == 200
        assert sandbox.get("pods/history").status_code == 200
        answers = [sandbox.get("pods") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [503, 503, 200, 200]
        assert answers[0].headers["retry-after"] == "4"


def test_a_path_can_be_a_pod_all_pods_or_a_pattern() -> None:
    def fits(path: str, asked: str) -> bool:
        (rule,) = read_rules([{"fault": "html", "path": path}])
        return bool(rule.kinds("GET", asked))

    assert fits("/pods/abc", "/pods/abc")
    assert not fits("/pods/abc", "/pods/other")
    assert fits("/pods/{id}", "/pods/other")
    assert not fits("/pods/{id}", "/pods/status")
    assert fits("/pods*", "/pods/status")
    assert not fits("/pods", "/pods/status")


def test_rules_share_out_the_requests() -> None:
    rules = [
        {"fault": "html", "probability": 0.25},
        {"fault": "429", "probability": 0.5},
        {"fault": "html_ok"},
    ]
    counts = decided(json.dumps(rules), "GET", "/pods")
    assert share(counts, ("html",)) == pytest.approx(0.25, abs=0.02)
    assert share(counts, ("429",)) == pytest.approx(0.5, abs=0.02)
    assert share(counts, ("html_ok",)) == pytest.approx(0.25, abs=0.02)


def test_a_rule_that_is_used_up_gives_way_to_the_next() -> None:
    _, rules = read_selection('[{"fault": "html", "times": 2}, {"fault": "429", "times": 1}]')
    faults = Faults(rules)
    found = [faults.decide("GET", "/pods", None) for _ in range(4)]
    assert [fault and fault.kind for fault in found] == ["html", "html", "429", None]


def test_of_several_faults_only_those_that_can_happen_are_chosen() -> None:
    rules = json.dumps([{"fault": ["commits_late", "empty_availability", "html"]}])
    assert set(decided(rules, "GET", "/pods")) == {"html"}
    assert set(decided(rules, "POST", "/pods")) == {"html", "commits_late"}
    assert set(decided(rules, "GET", "/availability/gpus")) == {"html", "empty_availability"}


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_fault_can_happen_to_something(kind: FaultKind) -> None:
    assert any(
        can_happen(kind, method, path)
        for method, path in (("POST", "/pods"), ("GET", "/availability/gpus"), ("DELETE", "/pods/{id}"))
    )


def test_rules_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('[{"fault": "reset_after", "probability": 0.3, "seconds": 1.5}]')
    rule = Rule(fault="reset_after", probability=0.3, seconds=1.5)
    assert read_selection(str(file)) == read_selection(file) == (None, (rule,))


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ("lunch", "there is no fault profile 'lunch': did you mean 'launch'?"),
        ("qqq", "there is no fault profile 'qqq': none, launch, flaky, slow, down, availability"),
        ("", "there is no fault profile ''"),
        ("[{", "the rules: invalid JSON"),
        ("{}", "faults must be a list of rules"),
        ("[7]", "rule 1: a rule must be an object"),
        ('[{"fault": "html"}, {"method": "GET"}]', 'rule 2: "fault" is missing'),
        ('[{"fault": "reset_afer"}]', "rule 1: there is no fault 'reset_afer': did you mean 'reset_after'?"),
        ('[{"fault": ["html", "503"]}]', "rule 1: there is no fault '503': did you mean '503_"),
        ('[{"fault": 429}]', "rule 1: there is no fault 429: did you mean '429'?"),
        ('[{"fault": []}]', "rule 1: fault: "),
        ('[{"fault": "html", "probablity": 1}]', "there is no key 'probablity': did you mean 'probability'?"),
        ('[{"fault": "html", "probability": 1.5}]', "rule 1: probability: "),
        ('[{"fault": "html", "probability": NaN}]', "rule 1: probability: "),
        ('[{"fault": "html", "times": 0}]', "rule 1: times: "),
        ('[{"fault": "html", "seconds": -1}]', "rule 1: seconds: "),
        ('[{"fault": "html", "method": "PSOT"}]', "rule 1: method: "),
        ('[{"fault": "html", "path": 7}]', "rule 1: path: "),
    ],
)
def test_what_cannot_be_selected_is_refused_in_one_line(selection: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        start(faults=selection)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


# The header of a request


def test_a_request_can_ask_for_a_fault_or_for_none(tmp_path: Path) -> None:
    with faulty(tmp_path, faults="down") as sandbox:
        assert sandbox.get("pods").status_code == 503
        assert sandbox.get("pods", "none").status_code == 200
        assert sandbox.get("pods", "html").status_code == 502
        assert sandbox.get("pods").status_code == 503
        assert sandbox.injected() == {"html": 1, "503_before": 2}


def test_a_request_that_asks_moves_the_others_no_further(tmp_path: Path) -> None:
    plain, mixed = (Faults(PROFILES["launch"], seed=7) for _ in range(2))
    expected = [plain.decide("GET", "/pods", None) for _ in range(60)]
    found = [
        mixed.decide("GET", "/pods", read_header("html", "GET", "/pods") if number % 2 else None)
        for number in range(60)
    ]
    assert found[::2] == expected[::2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("reset_afer", "there is no fault 'reset_afer': did you mean 'reset_after'?"),
        ("html; second=2", "there is no key 'second': did you mean 'seconds'?"),
        ("html; probability=0.5", "there is no key 'probability'"),
        ("html; seconds=soon", "seconds: "),
        ("html; seconds", "seconds: "),
        ("commits_late", "commits_late cannot happen to GET /pods"),
        ("", "there is no fault ''"),
        ("none; seconds=2", "there is no fault 'none'"),
    ],
)
def test_a_header_that_makes_no_sense_is_a_400(tmp_path: Path, value: str, said: str) -> None:
    with faulty(tmp_path) as sandbox:
        answer = sandbox.get("pods", value)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("X-Sandbox-Fault: ")
        assert said in answer.json()["detail"]
        assert sandbox.injected() == {}


def test_a_request_without_a_key_gets_no_fault(tmp_path: Path) -> None:
    with faulty(tmp_path, faults="down") as sandbox:
        headers = {"Authorization": "Bearer wrong", "X-Sandbox-Fault": "html"}
        assert sandbox.caller.get("/api/v1/pods", headers=headers).status_code == 401
        assert sandbox.injected() == {}


# At run time


def put(sandbox: Faulty, selection: Any, **query: Any) -> dict[str, Any]:
    answer = sandbox.caller.put("/sandbox/faults", json=selection, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_sandboxs_own_surface_gets_no_fault(tmp_path: Path) -> None:
    with faulty(tmp_path, faults="down") as sandbox:
        for header in ({}, {"X-Sandbox-Fault": "html"}):
            assert sandbox.caller.get("/sandbox", headers=header).status_code == 200
            assert sandbox.caller.get("/sandbox/faults", headers=header).json()["injected"] == {}


def test_what_is_selected_can_be_read_and_replaced(tmp_path: Path) -> None:
    with faulty(tmp_path, faults="down", seed=11) as sandbox:
        sandbox.get("pods")
        assert sandbox.caller.get("/sandbox/faults").json() == {
            "profile": "down",
            "rules": [{"fault": "503_before", "probability": 1.0}],
            "seed": 11,
            "requests": 1,
            "injected": {"503_before": 1},
        }
        rules = [{"fault": ["html", "429"], "method": "GET", "path": "/pods", "probability": 0.5, "times": 1}]
        replaced = put(sandbox, rules)
        assert replaced == {"profile": None, "rules": rules, "seed": 11, "requests": 0, "injected": {}}
        assert put(sandbox, replaced["rules"]) == replaced
        assert put(sandbox, "launch", seed=-3)["seed"] == -3
        assert put(sandbox, "none")["profile"] == "none"
        assert sandbox.get("pods").status_code == 200


def test_replacing_begins_the_sequence_anew(tmp_path: Path) -> None:
    with faulty(tmp_path) as sandbox:
        sequences = []
        for seed in (1, 1, 2):
            put(sandbox, "launch", seed=seed)
            sequences.append([sandbox.outcome("GET", "user/whoami") for _ in range(30)])
        assert sequences[0] == sequences[1] != sequences[2]
        for _ in range(2):
            put(sandbox, [{"fault": "html", "times": 1}])
            assert [sandbox.get("pods").status_code for _ in range(2)] == [502, 200]


@pytest.mark.parametrize("selection", ["lunch", [{"fault": "reset_afer"}], [7], 7, {}, None, "/etc/hostname"])
def test_what_cannot_be_selected_changes_nothing(tmp_path: Path, selection: Any) -> None:
    with faulty(tmp_path, faults="down") as sandbox:
        answer = sandbox.caller.put("/sandbox/faults", content=json.dumps(selection))
        assert answer.status_code == 422
        assert "/etc/hostname" not in answer.text or "there is no fault profile" in answer.text
        assert sandbox.caller.get("/sandbox/faults").json()["profile"] == "down"


# From a shell


def test_the_program_takes_a_profile(spawn: Spawn) -> None:
    sandbox = spawn("--faults", "down", "--seed", "5")
    with Caller(sandbox.url) as caller:
        assert caller.get("/api/v1/pods").status_code == 503
        report = caller.get("/sandbox/faults").json()
        assert (report["profile"], report["seed"]) == ("down", 5)


def test_the_program_is_silent_about_faults(spawn: Spawn) -> None:
    sandbox = spawn("--faults", json.dumps([{"fault": ["reset_before", "reset_after", "truncated"]}]))
    with Caller(sandbox.url) as caller:
        for _ in range(12):
            with pytest.raises(httpx.TransportError):
                caller.get("/api/v1/pods")
        assert len(caller.get("/sandbox/faults").json()["injected"]) == 3
    assert sandbox.end(signal.SIGTERM) == (0, "", "")


def test_the_program_refuses_an_unknown_profile_in_one_line() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "primepods_magic.sandbox", "--faults", "lunch"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=30,
    )
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert "did you mean 'launch'?" in line


def test_the_program_names_every_profile_in_its_help() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "primepods_magic.sandbox", "--help"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=30,
    )
    assert all(name in run.stdout for name in PROFILES)


def test_the_kinds_are_those_that_are_declared() -> None:
    assert set(FAULT_KINDS) == set(get_args(FaultKind))
    assert len(FAULT_KINDS) == len(set(FAULT_KINDS))
