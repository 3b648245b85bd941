"""A connection to the test's own sandbox, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from tests.support.sandbox_control import SandboxControl

Through = Callable[..., Connection]


class Changing(httpx.HTTPTransport):
    """The network to a sandbox, which changes what `change` wants changed."""

    def __init__(self, change: Callable[[httpx.Request, httpx.Response], httpx.Response]) -> None:
        super().__init__(verify=False)
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        return self._change(request, response)


@pytest.fixture
def connection(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    yield connect(sandbox=True)
    disconnect()


@pytest.fixture
def through(connection: Connection) -> Iterator[Through]:
    """The same account through other plumbing, or taken for one that is billed."""
    opened: list[Connection] = []

    def make(http: httpx.BaseTransport, *, live: bool = False) -> Connection:
        client = Client(connection.settings, http=http)
        clock = type(connection.clock)(client.session)  # type: ignore[call-arg]
        opened.append(Connection(client, clock, is_sandbox=not live, _instance=connection._instance))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
