"""The log of the ssh client is small, whatever a server adds to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.command import run_command
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.ssh import client
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.conftest import describe_pod, pin_host
from tests.support.chatty_ssh import chatty_server, flood_log

MAX_BYTES = 100_000


@pytest.fixture
def start_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], PodDetails]]:
    monkeypatch.setattr(client, "_MAX_LOG_BYTES", MAX_BYTES)
    with ExitStack() as stack:

        def start(serve: Any) -> PodDetails:
            server = stack.enter_context(chatty_server(serve))
            pin_host(server.host_key)
            return describe_pod(server.target)

        yield start


@pytest.mark.parametrize("answers", [False, True])
def test_a_link_ends_if_its_log_grows(
    connection: Connection, start_server: Callable[[Any], PodDetails], answers: bool
) -> None:
    async def serve(process: Any, ssh: Any) -> None:
        if answers:
            cookie = (await process.stdin.readline()).rpartition(b"#")[2].strip()
            process.stdout.write(b"\n" + cookie + b" ready 3.11\n")
        await flood_log(ssh)

    link = PodLink(find_route(connection, start_server(serve)), lambda: None)
    with pytest.raises(UnexpectedAnswer, match=r"'train' sent more than .* keeps running, and the pod is"):
        link.request("jobs").result(10)
    assert not link.is_alive
    link.close()
    assert not link._thread.is_alive()


@pytest.mark.parametrize("is_open", [False, True])
def test_a_command_ends_if_its_log_grows(
    connection: Connection, start_server: Callable[[Any], PodDetails], is_open: bool
) -> None:
    async def serve(process: Any, ssh: Any) -> None:
        if not is_open:
            process.channel.write_eof()
        await flood_log(ssh)

    with pytest.raises(UnexpectedAnswer, match="'train' sent more than"):
        run_command(connection, start_server(serve), "true")


def test_no_more_of_a_log_is_read(connection: Connection, start_server: Callable[[Any], PodDetails]) -> None:
    async def serve(process: Any, ssh: Any) -> None:
        await process.stdin.read()

    route = find_route(connection, start_server(serve))
    with client.open_ssh(route, "true") as ssh:
        os.truncate(ssh._log.name, 1 << 40)
        assert ssh.has_long_log
        assert len(ssh._read_log()) == MAX_BYTES
