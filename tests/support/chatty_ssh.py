"""SSH servers that log in anyone, and that send what no pod would; each has a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncssh


@dataclass(frozen=True)
class ChattyServer:
    """A running server: its target as a service would name it, and its host key."""

    target: str
    host_key: str


@contextmanager
def chatty_server(serve: Callable[[Any, Any], Awaitable[object]]) -> Iterator[ChattyServer]:
    """Run a server; `serve` has each process and the connection that it came by."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    async def handle(process: Any) -> None:
        with suppress(asyncio.IncompleteReadError, asyncssh.Error, OSError):
            await serve(process, process.channel.get_connection())
        process.close()

    async def listen() -> Any:
        return await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[key], process_factory=handle, encoding=None
        )

    async def stop() -> None:
        listener.close()
        await listener.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    key = asyncssh.generate_private_key("ssh-ed25519")
    listener = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        target = f"someone@127.0.0.1 -p {listener.get_port()}"
        yield ChattyServer(target, key.export_public_key().decode())
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def flood_log(connection: Any) -> None:
    """Make the client log more and more, as long as it is there."""
    while not connection.is_closed():
        for _ in range(20):
            connection.send_debug("A" * 880, "en", True)
        await asyncio.sleep(0.001)
