"""No guard is armed that could not end its pod: the test fire finds what is in the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards import powers
from primepods_magic.pods.guards.powers import find_obstacle
from primepods_magic.pods.support.clock import ServiceClock

POD = "9834b159126beef83cb11778ec2a46eb"
Answer = Callable[[httpx.Request], httpx.Response]


def _reply(status: int, body: object, *, ahead: timedelta | None = timedelta()) -> httpx.Response:
    dated = (
        {} if ahead is None else {"date": format_datetime(datetime.now(timezone.utc) + ahead, usegmt=True)}
    )
    return httpx.Response(status, json=body, headers=dated)


def _serve(
    get: Answer | None = None, delete: Answer | None = None, ahead: timedelta | None = timedelta()
) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        special = get if request.method == "GET" else delete
        if special is not None:
            return special(request)
        if request.method == "GET":
            return _reply(
                200,
                {"id": POD, "name": "train", "status": "ACTIVE", "createdAt": "2026-11-30T08:00:00Z"},
                ahead=ahead,
            )
        assert not request.url.path.endswith(POD), "the pod itself was to be terminated"
        return _reply(404, {"detail": "Pod not found"}, ahead=ahead)

    return answer


def _fail(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def _always(status: int, body: object = None) -> Answer:
    return lambda request: _reply(status, body if body is not None else {"detail": "no"})


OBSTACLES: dict[str, tuple[Answer, str]] = {
    "unreachable": (_serve(get=_fail(httpx.ConnectError("no route"))), "cannot be read"),
    "name unknown": (_serve(get=_fail(httpx.ConnectError("Name or service not known"))), "cannot be read"),
    "certificate": (_serve(get=_fail(httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"))), "cannot be read"),
    "proxy": (_serve(get=_fail(httpx.ProxyError("407"))), "cannot be read"),
    "key unknown": (_serve(get=_always(401)), "cannot be read"),
    "key may not read": (_serve(get=_always(403)), "cannot be read"),
    "pod unknown": (_serve(get=_always(404)), "cannot be read"),
    "too many requests": (_serve(get=_always(429)), "cannot be read"),
    "service down": (_serve(get=_always(503)), "cannot be read"),
    "no JSON": (_serve(get=lambda _: httpx.Response(200, content=b"<html>")), "cannot be read"),
    "another pod": (_serve(get=_always(200, {"id": "other", "name": "train"})), "instead of"),
    "no pod": (_serve(get=_always(200, {})), "as live"),
    "key may not terminate": (_serve(delete=_always(403)), "termination would fail"),
    "key expired since": (_serve(delete=_always(401)), "termination would fail"),
    "terminations fail": (_serve(delete=_always(500)), "termination would fail"),
    "terminations time out": (_serve(delete=_fail(httpx.ReadTimeout("slow"))), "termination would fail"),
    "terminations are cut": (
        _serve(delete=_fail(httpx.RemoteProtocolError("cut"))),
        "termination would fail",
    ),
    "terminations are not allowed": (_serve(delete=_always(405)), "termination would fail"),
    "ids are refused": (_serve(delete=_always(422)), "termination would fail"),
    "everything is confirmed": (_serve(delete=_always(200, {"status": "DELETING"})), "does not exist"),
    "ended": (_serve(get=_always(200, {"id": POD, "status": "TERMINATED"})), "TERMINATED"),
    "clock ahead": (_serve(ahead=timedelta(hours=3)), "clocks"),
    "clock behind": (_serve(ahead=timedelta(hours=-3)), "clocks"),
    "no clock": (_serve(ahead=None), "no date"),
}


def connect_to(answer: Answer) -> Connection:
    settings, http = Settings("https://api.example.com", "key-of-a-test"), httpx.MockTransport(answer)
    client = Client(settings, http=http)
    return Connection(client, ServiceClock(client.session), is_sandbox=False)


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_is_in_the_way_of_an_end_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powers, "_BUDGET_S", 0.2)
    answer, says = OBSTACLES[name]
    connection = connect_to(answer)
    assert says in find_obstacle(connection, POD)
    connection.close()


def test_a_key_that_can_end_the_pod_passes_without_touching_it() -> None:
    connection = connect_to(_serve())
    assert find_obstacle(connection, POD) == ""
    connection.close()
