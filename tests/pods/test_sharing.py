"""A pod is shared with the members of a team that are meant, and a key is removed only if it is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import InvalidRequest, NotFound
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.ssh.keys import list_keys, remove_key
from tests.pods.conftest import Changing, Through

TEAM = {"gpu": "L4_24GB", "team": "team_id"}


def plan_shares(
    connection: Connection, members: object, told: list[str], **fields: Any
) -> Sequence[str] | None:
    (plan,) = plan_many(connection, [{**TEAM, "members": members, **fields}], tell=told.append)
    assert plan.request is not None
    found: Sequence[str] | None = plan.request.wire()["team_member_ids"]
    return found


@pytest.mark.parametrize("how", ["user_name", "user_email", "user_id"])
def test_members_are_given_as_the_team_lists_them(connection: Connection, how: str) -> None:
    member = connection.client.list_team_members("team_id")[1]
    told: list[str] = []
    given = str(getattr(member, how))
    assert plan_shares(connection, given.upper() if how != "user_id" else given, told) == [member.user_id]
    assert any(f"Shared with {member.user_name}" in text for text in told) is (how != "user_id")
    assert plan_shares(connection, [given, given], told) == [member.user_id]


@pytest.mark.parametrize(
    ("members", "fields", "says"),
    [
        (
            "nobody@example.org",
            {},
            r"No member of the team is called 'nobody@example.org'.*Nothing was created",
        ),
        ("Ada Lovelace", {"team": None}, "Add 'team:'"),
    ],
)
def test_someone_else_is_refused_before_anything_is_created(
    connection: Connection, members: str, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        plan_shares(connection, members, [], **fields)


def test_a_name_that_two_members_have_is_refused(connection: Connection, through: Through) -> None:
    def rename(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/members"):
            return response
        body = response.json()
        for row in body["data"]:
            row["userName"] = "Sam"
        return httpx.Response(200, json=body, request=request)

    with pytest.raises(InvalidRequest, match=r"Several members of the team are called 'sam' \(.*@"):
        plan_shares(through(Changing(rename)), "sam", [])


def test_a_key_that_cannot_list_members_takes_ids_alone(connection: Connection, through: Through) -> None:
    def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path.endswith("/members"):
            return httpx.Response(403, json={"detail": "Forbidden"}, request=request)
        return response

    blind = through(Changing(refuse))
    assert plan_shares(blind, "u2", []) == ["u2"]
    with pytest.raises(InvalidRequest, match="Give the member's id"):
        plan_shares(blind, "ada@example.org", [])


def test_flags_share_as_fields_do(shell: Any) -> None:
    shell.run("%pods connect --sandbox")
    pod = shell.run(
        "%pod_create --gpu L4_24GB --team team_id --share-with-team --members 'Charles Babbage' --name a"
    )
    assert pod.details.team_id == "team_id"
    assert "Shared with Charles Babbage" in shell.output.text


def test_a_key_is_removed_only_with_consent(connection: Connection, through: Through) -> None:
    asked: list[str] = []
    (only,) = list_keys(connection)

    def decline(question: str) -> bool:
        asked.append(question)
        return False

    live = through(httpx.HTTPTransport(), live=True)
    with pytest.raises(InvalidRequest, match="not confirmed"):
        remove_key(live, str(only.name), decline)
    assert "the primary key" in asked[0]
    assert "there is none" in asked[0]
    with pytest.raises(NotFound, match="Nothing was changed"):
        remove_key(live, "other", lambda _: True)
    assert remove_key(live, str(only.id), lambda _: True).name == only.name
    assert list_keys(connection) == []


def test_the_command_removes_a_key(shell: Any) -> None:
    frame = shell.run("%pods keys rm laptop -y")
    assert len(frame) == 0
    assert "'laptop' was removed" in shell.output.text
    with pytest.raises(InvalidRequest, match="needs the name or id"):
        shell.run("%pods keys rm")
