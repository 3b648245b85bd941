"""The record of a launch is found although the user is not known once, or the team is spelled otherwise."""

from __future__ import annotations

import json

import httpx
import pytest

from primepods_magic.api.errors import RequestRefused
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from tests.pods.conftest import Through
from tests.pods.test_changed_names import Renaming
from tests.pods.test_one_pod import is_create, names

TEAM = "team_id"


class Unknown(Renaming):
    """A service that stores pods under other names and does not say whose key this is."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/whoami"):
            return httpx.Response(404)
        return super().handle_request(request)


class Teamless(Renaming):
    """A service that bills no team, whatever it is asked; ``trouble`` answers the question for teams."""

    trouble: httpx.Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/user/teams") and self.trouble is not None:
            return self.trouble
        if is_create(request):
            body = json.loads(request.read())
            del body["team"]
            content = json.dumps(body).encode()
            headers = {**request.headers, "content-length": str(len(content))}
            request = httpx.Request("POST", request.url, headers=headers, content=content)
        return super().handle_request(request)


def rent(connection: Connection, **fields: str) -> str:
    return launch(gpu="L4_24GB", name="train", connection=connection, tell=lambda _: None, **fields).id


@pytest.mark.parametrize("kinds", [(Renaming, Unknown, Renaming), (Unknown, Renaming, Unknown)])
def test_a_record_is_found_although_the_service_does_not_say_once_whose_key_it_is(
    connection: Connection, through: Through, kinds: tuple[type[Renaming], ...]
) -> None:
    theirs = [through(kind(lambda name: f"acme-{name}")) for kind in kinds]
    assert theirs[0].account != theirs[1].account
    assert len({rent(there) for there in theirs}) == 1
    assert names(connection) == ["acme-train"]


def test_a_record_is_found_although_the_team_is_spelled_otherwise(
    connection: Connection, through: Through
) -> None:
    there = through(Teamless(lambda name: f"acme-{name}"))
    spellings = ("analytical-engines", "Analytical-Engines", " analytical engines ", TEAM, "TEAM_ID")
    assert len({rent(there, team=team) for team in spellings}) == 1
    assert names(connection) == ["acme-train"]


def test_a_pod_of_another_team_is_another_pod(connection: Connection, through: Through) -> None:
    there = through(Teamless(lambda name: f"acme-{name}"))
    assert rent(there, team=TEAM) != rent(there, team="another")


def test_nothing_is_rented_if_no_one_says_which_team_is_meant(
    connection: Connection, through: Through
) -> None:
    http = Teamless(lambda name: f"acme-{name}")
    there = through(http)
    rent(there, team=TEAM)
    http.trouble = httpx.Response(400)
    with pytest.raises(RequestRefused):
        rent(there, team="analytical-engines")
    assert names(connection) == ["acme-train"]
