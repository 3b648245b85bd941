"""A pod that is stopped and started has another address: its connection goes there."""

from __future__ import annotations

import time
from getpass import getuser

import httpx
import pytest

from primepods_magic.notebook.cells import run_cell
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote import links
from primepods_magic.remote.job import start_job
from primepods_magic.remote.links import close_links, open_link
from tests.pods.conftest import Changing, Through
from tests.pods.conftest import through as through
from tests.remote.conftest import describe_pod, pin_host
from tests.support.cutting_proxy import cutting_proxy
from tests.support.openssh import OpenSshServer
from tests.support.waiting import eventually


@pytest.fixture
def key(agent_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(agent_server.key))
    pin_host(agent_server.host_key)


def test_a_lost_connection_is_moved(
    connection: Connection,
    agent_server: OpenSshServer,
    key: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_cell, "_SAY_LOST_AFTER_S", 0.0)
    with cutting_proxy(agent_server.port) as proxy:
        old = describe_pod(f"{getuser()}@127.0.0.1 -p {proxy.port}")
        link = open_link(connection, old)
        job, _ = start_job(connection, old, "import time\nprint(1)\ntime.sleep(0.5)\nprint(2)", again=True)
        eventually(lambda: job.output, "runs")
        # A connection that works is kept, whatever an old Pod says.
        assert open_link(connection, describe_pod("someone@127.0.0.1 -p 9")) is link
        assert link.connected.is_set()
    eventually(lambda: link.trouble, "notices the loss")
    notes = run_cell.LinkNotes("It was not run yet")
    notes.check(link)
    assert "was lost. It was not run yet; reconnecting" in capsys.readouterr().err
    new = describe_pod(agent_server.target)
    assert open_link(connection, new) is link
    assert start_job(connection, new, "print(3)", again=True)[0].result(10).state == "ok"
    assert job.result(10).state == "ok"
    assert job.output == "1\n2\n"
    close_links(connection)


def test_a_connection_that_never_worked_is_moved(
    connection: Connection, agent_server: OpenSshServer, key: None
) -> None:
    # It is new, so logins are tried for a while.
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(connection.now().timestamp()))
    link = open_link(connection, describe_pod("someone@127.0.0.1 -p 9", createdAt=now))
    request = link.request("jobs")
    eventually(lambda: link.trouble, "cannot connect")
    assert open_link(connection, describe_pod(agent_server.target, createdAt=now)) is link
    assert "jobs" in request.result(10)
    close_links(connection)


def test_the_service_is_asked_for_the_address(
    through: Through, agent_server: OpenSshServer, key: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_ASK_INTERVAL_S", 0.1)
    listed = {"id": "p1", "name": "train", "status": "ACTIVE", "sshConnection": agent_server.target}

    def list_pod(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.rstrip("/").endswith("/pods"):
            return response
        return httpx.Response(200, json={"data": [listed], "total_count": 1, "offset": 0, "limit": 100})

    connection = through(Changing(list_pod))
    with cutting_proxy(agent_server.port) as proxy:
        link = open_link(connection, describe_pod(f"{getuser()}@127.0.0.1 -p {proxy.port}"))
        assert "jobs" in link.ask("jobs")
    assert "jobs" in link.ask("jobs")
    assert link.route.target is not None
    assert link.route.target.port != proxy.port
    close_links(connection)
