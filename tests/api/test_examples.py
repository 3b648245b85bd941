"""The recorded payloads of the account, the summary and odd names; and that none of them is left unread."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import NotFound, RequestRefused, UnexpectedAnswer
from primepods_magic.api.settings import Settings
from tests.api.test_answers import DATA, load
from tests.api.test_transport import KEY, Counting

ACCOUNT = load("24-account")


def answering(*answers: Any) -> tuple[Client, Counting]:
    """A client whose service answers so, one after the other; JSON with 200 unless it is a response."""
    ready = [a if isinstance(a, httpx.Response) else httpx.Response(200, json=a) for a in answers]
    http = Counting(*ready)
    return Client(Settings("https://api.example.test", KEY), http=http), http


def test_every_recorded_payload_is_read_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.stem for path in DATA.glob("*.json") if f'"{path.stem}"' not in tests] == []


def test_whoami_tells_who_and_what_the_key_may_do() -> None:
    client, _ = answering(ACCOUNT["whoami"])
    with client:
        user = client.whoami()
    assert (user.id, user.name, user.email) == (
        "cmb7q0u1x0004v8l2k5n3r9tz",
        "Ada Łovelace",
        "ada@example.org",
    )
    instances, availability = user.scope["instances"], user.scope["availability"]
    assert instances is not None
    assert availability is not None
    assert (instances.read, instances.write, availability.write) == (True, True, False)
    assert user.scope["disks"] is None


@pytest.mark.parametrize("answer", [{"data": None}, {}, [], "ada"])
def test_whoami_without_anybody_is_no_answer(answer: Any) -> None:
    client, _ = answering(*[answer] * 4)
    with client, pytest.raises(UnexpectedAnswer, match="whose key this is"):
        client.whoami()


def test_teams_members_and_keys_are_read() -> None:
    client, http = answering(ACCOUNT["teams"], ACCOUNT["members"], ACCOUNT["ssh_keys"])
    with client:
        [team] = client.list_teams()
        ada, other = client.list_team_members("cmc1t3a2b0001q7w9e8r6y5ui")
        [key] = client.list_ssh_keys()
    assert (team.name, team.slug, team.role) == ("Núcleo Ω", None, "ADMIN")
    assert ada.joined_at == datetime(2025, 3, 1, tzinfo=timezone.utc)
    assert (other.user_name, other.role) == (None, "member")
    assert (key.name, key.is_primary) == ("laptop", True)
    assert [request.url.path for request in http.requests] == [
        "/api/v1/user/teams",
        "/api/v1/teams/cmc1t3a2b0001q7w9e8r6y5ui/members",
        "/api/v1/ssh_keys/",
    ]


def test_the_summary_gives_prices_where_there_are_any() -> None:
    client, _ = answering(load("16-gpu-summary"))
    with client:
        prices = client.gpu_summary()
    assert prices["H100_80GB", 1, "cheapest"].spot_price == 0.9895
    assert prices["H100_80GB", 1, "canada"].on_demand == 2.34
    assert {gpu_type for gpu_type, _, _ in prices} == {"H100_80GB", "CPU_NODE"}
    assert ("H100_80GB", 8, "cheapest") not in prices


def test_names_of_every_script_come_through_as_they_are() -> None:
    payload = load("10-pods-list-unicode-names")
    client, _ = answering(payload)
    with client:
        pods = client.list_all_pods()
    assert [pod.name for pod in pods] == [row["name"] for row in payload["data"]]
    assert all(re.fullmatch(r"[\w.-]*", pod.cli_name) for pod in pods)


LINES = {"logs": "a\nb\nc"}


def paths(http: Counting) -> list[str]:
    return [request.url.path.rpartition("/")[2] for request in http.requests]


@pytest.mark.parametrize("status", [404, 405])
def test_the_path_that_has_the_logs_is_remembered(status: int) -> None:
    client, http = answering(httpx.Response(status), LINES, LINES)
    with client:
        assert client.pod_logs("x", tail=2) == "b\nc"
        assert client.pod_logs("x") == "a\nb\nc"
    assert paths(http) == ["log", "logs", "logs"]
    assert dict(http.requests[0].url.params) == {"tail": "10000"}


def test_a_pod_without_logs_says_nothing_of_the_path() -> None:
    client, http = answering(httpx.Response(404), httpx.Response(404), LINES)
    with client:
        with pytest.raises(NotFound):
            client.pod_logs("gone")
        assert client.pod_logs("x") == "a\nb\nc"
    assert paths(http) == ["log", "logs", "log"]


def test_a_refusal_other_than_a_missing_path_is_told() -> None:
    client, http = answering(httpx.Response(404), httpx.Response(400, json={"detail": "no logs yet"}))
    with client, pytest.raises(RequestRefused, match="no logs yet"):
        client.pod_logs("x")
    assert len(http.requests) == 2


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (json.dumps("a\nb"), "a\nb"),
        (json.dumps(["a", "b\n"]), "a\nb"),
        (json.dumps([{"timestamp": "t", "message": "a"}]), "t a"),
        (json.dumps({"data": ["a"]}), "a"),
        (json.dumps({"log": None}), ""),
        (json.dumps({"lines": ["a", "b"]}), "a\nb"),
        ("null", ""),
        ("a\nb", "a\nb"),
    ],
)
def test_logs_come_in_any_form(answer: str, text: str) -> None:
    client, _ = answering(httpx.Response(200, text=answer))
    with client:
        assert client.pod_logs("x") == text
