"""Sessions of a connection: commands, shells and file transfers, as sshd runs them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.stream import SSHServerStreamSession

from .children import Child, resize_terminal, spawn_on_pipes, spawn_on_terminal
from .state import MachineState

__all__ = ["Files", "Session"]

_CHUNK_BYTES = 65_536
_SIGNALS_SENT_BY_NAME = frozenset(
    "ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split()  # RFC 4254, 6.10
)


class Files(asyncssh.SFTPServer):
    """The files of a machine; relative paths begin in its home folder."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(self._home, path)

    def realpath(self, path: bytes) -> bytes:
        """Return an absolute path."""
        return os.path.normpath(self.map_path(path))

    def exit(self) -> None:
        """End with success: without a status `scp` fails after it has copied everything."""
        self.channel.exit(0)


class Session(SSHServerStreamSession[bytes]):
    """One channel of a connection."""

    def __init__(self, machine: MachineState, on_close: Callable[[], None]) -> None:
        super().__init__(self._run_command, self._open_files, sftp_version=3)
        self._machine = machine
        self._on_close = on_close

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another session."""
        super().connection_lost(exc)
        self._on_close()

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        """Allow a terminal."""
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Allow SFTP only."""
        return subsystem == "sftp"

    def _open_files(self, channel: SSHChannel[bytes]) -> Files:
        return Files(cast(asyncssh.SSHServerChannel[bytes], channel), self._machine.home)

    async def _run_command(
        self,
        stdin: asyncssh.SSHReader[bytes],
        stdout: asyncssh.SSHWriter[bytes],
        stderr: asyncssh.SSHWriter[bytes],
    ) -> None:
        channel = stdout.channel
        assert isinstance(channel, asyncssh.SSHServerChannel)
        try:
            child = await self._spawn_child(channel)
        except (OSError, ValueError) as error:
            # A command with a NUL byte, or no process left.
            with suppress(OSError):
                stderr.write(f"cannot run the command: {error}\n".encode())
            channel.exit(255)
            return
        self._machine.remember_child(child)
        feeding = asyncio.ensure_future(_feed_input(stdin, child))
        closed = asyncio.ensure_future(channel.wait_closed())
        relaying = asyncio.ensure_future(_relay_output(child, stdout, stderr))
        try:
            await asyncio.wait({relaying, closed}, return_when=asyncio.FIRST_COMPLETED)
            if relaying.done() and not closed.done():
                _send_exit(channel, await relaying)
        finally:
            for task in (feeding, closed, relaying):
                task.cancel()
            child.close()

    async def _spawn_child(self, channel: asyncssh.SSHServerChannel[bytes]) -> Child:
        machine, command, term = self._machine, channel.get_command(), channel.get_terminal_type()
        peer, own = channel.get_extra_info("peername"), channel.get_extra_info("sockname")
        sent = channel.get_environment()
        env = {
            **machine.env,
            **{name: value for name, value in sent.items() if name == "LANG" or name.startswith("LC_")},
            "SSH_CONNECTION": f"{peer[0]} {peer[1]} {own[0]} {own[1]}",
            # Debian's bash reads ~/.bashrc because of it, also for a single command.
            "SSH_CLIENT": f"{peer[0]} {peer[1]} {own[1]}",
        }
        name = os.path.basename(machine.shell)
        words = [f"-{name}"] if command is None else [name, "-c", command]
        if term is None:
            return await spawn_on_pipes(machine.reaper, machine.shell, words, env, machine.home)
        columns, rows, *_ = channel.get_terminal_size()
        env["TERM"] = term
        return await spawn_on_terminal(
            machine.reaper, machine.shell, words, env, machine.home, (columns, rows)
        )


async def _relay_output(child: Child, *writers: asyncssh.SSHWriter[bytes]) -> int:
    """Relay until every process that holds the outputs has closed them, as sshd does."""
    await asyncio.gather(*map(_pump_stream, child.outputs, writers))
    return await asyncio.shield(child.exited)


async def _pump_stream(reader: asyncio.StreamReader, writer: asyncssh.SSHWriter[bytes]) -> None:
    # The client may be gone.
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


async def _feed_input(stdin: asyncssh.SSHReader[bytes], child: Child) -> None:
    while True:
        try:
            data = await stdin.read(_CHUNK_BYTES)
        except asyncssh.TerminalSizeChanged as change:
            if child.terminal is not None and not child.input.is_closing():
                resize_terminal(child.terminal, (change.width, change.height))
            continue
        except asyncssh.SignalReceived as received:
            with suppress(OSError):
                child.send_signal(received.signal)
            continue
        except asyncssh.BreakReceived:
            continue
        if not data:
            break
        # After the command has closed its input, discard what the client still sends.
        with suppress(OSError):
            child.input.write(data)
            await child.input.drain()
    if child.terminal is None:
        child.input.close()


def _send_exit(channel: asyncssh.SSHServerChannel[bytes], code: int) -> None:
    if code >= 0:
        channel.exit(code)
        return
    name = Signals(-code).name.removeprefix("SIG")
    channel.exit_with_signal(name if name in _SIGNALS_SENT_BY_NAME else f"{name}@openssh.com")
