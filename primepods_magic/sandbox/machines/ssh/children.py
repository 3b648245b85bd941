"""Child processes of sessions, with pipes or a pseudo-terminal, and the reaping of them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import IO

__all__ = ["Child", "Reaper", "resize_terminal", "spawn_on_pipes", "spawn_on_terminal"]

_UMASK = 0o022
_TERMINAL_STUB = Path(__file__).with_name("terminal_stub.py")


class Reaper:
    """Waits for the children of this process without a thread for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[subprocess.Popen[bytes], asyncio.Future[int]] = {}
        loop.add_signal_handler(signal.SIGCHLD, self._reap_children)

    def watch(self, process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
        """Return the future exit code of a child, negative for a signal."""
        exited = self._waiting[process] = self._loop.create_future()
        # It may have ended before it was known here.
        self._loop.call_soon(self._reap_children)
        return exited

    def _reap_children(self) -> None:
        for process in list(self._waiting):
            code = process.poll()
            if code is not None:
                exited = self._waiting.pop(process)
                if not exited.done():
                    exited.set_result(code)


class Child:
    """A running command: its exit code, and the streams to and from it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        exited: asyncio.Future[int],
        terminal: int | None = None,
    ) -> None:
        self.pid = process.pid
        self.exited = exited
        self.terminal = terminal
        self.outputs: list[asyncio.StreamReader] = []
        self.input: asyncio.StreamWriter
        self._transports: list[asyncio.BaseTransport] = []

    async def open_streams(self, stdin: IO[bytes], *outputs: IO[bytes]) -> None:
        """Connect to the files of the command."""
        loop = asyncio.get_running_loop()
        for file in outputs:
            reader = asyncio.StreamReader()
            transport, _ = await loop.connect_read_pipe(_make_protocol(reader), file)
            self.outputs.append(reader)
            self._transports.append(transport)
        writing, protocol = await loop.connect_write_pipe(_make_protocol(asyncio.StreamReader()), stdin)
        self.input = asyncio.StreamWriter(writing, protocol, None, loop)
        self._transports.append(writing)

    def close(self) -> None:
        """Close the files, without waiting for what is buffered; a terminal hangs up."""
        for transport in self._transports:
            if transport.is_closing():
                continue
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            else:
                transport.close()

    def send_signal(self, name: str) -> None:
        """Send a signal to the command's process group."""
        number = getattr(signal, f"SIG{name}", None)
        if isinstance(number, signal.Signals) and not self.exited.done():
            os.killpg(self.pid, number)


class _ToTheEnd(asyncio.StreamReaderProtocol):
    """A protocol for a reader that ends without an error, after everything that has arrived.

    A terminal ends with EIO, and a reader with an error would withhold what it has not been asked for yet.
    """

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None if isinstance(exc, OSError) else exc)


def _make_protocol(reader: asyncio.StreamReader) -> Callable[[], asyncio.StreamReaderProtocol]:
    return lambda: _ToTheEnd(reader)


async def spawn_on_pipes(
    reaper: Reaper, shell: str, words: Sequence[str], env: Mapping[str, str], folder: Path
) -> Child:
    """Start a command with three pipes, as sshd does without a terminal."""
    process = subprocess.Popen(  # noqa: S603 - whoever has logged in may run anything
        words,
        executable=shell,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=env,
        cwd=folder,
        umask=_UMASK,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    child = Child(process, reaper.watch(process))
    await child.open_streams(process.stdin, process.stdout, process.stderr)
    return child


async def spawn_on_terminal(
    reaper: Reaper,
    shell: str,
    words: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    size: tuple[int, int],
) -> Child:
    """Start a command on a pseudo-terminal of its own, which is its controlling terminal."""
    ours, theirs = pty.openpty()
    try:
        resize_terminal(ours, size)
        process = subprocess.Popen(  # noqa: S603 - whoever has logged in may run anything
            [sys.executable, "-I", "-S", str(_TERMINAL_STUB), shell, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "SSH_TTY": os.ttyname(theirs)},
            cwd=folder,
            umask=_UMASK,
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)
    child = Child(process, reaper.watch(process), ours)
    await child.open_streams(FileIO(ours, "wb"), FileIO(os.dup(ours), "rb"))
    return child


def resize_terminal(terminal: int, size: tuple[int, int]) -> None:
    """Set the columns and rows of a terminal."""
    columns, rows = size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
