"""The sandbox's side of the machines: their process, and the commands to it."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import kill_until_gone

__all__ = ["MachineHost", "MachinesUnavailable"]

_MODULE = "primepods_magic.sandbox.machines"
_ANSWER_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_CHUNK_BYTES = 65_536
# Nothing else of this process's environment is needed, and some of it may be secret.
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME")


class MachinesUnavailable(Exception):
    """The process of the machines does not start or does not answer."""


@dataclass
class _Running:
    """The process, its folder, and the token in the marks of its machines' processes."""

    process: subprocess.Popen[bytes]
    folder: Path
    token: str
    received: bytes = b""


class MachineHost:
    """Starts the process on first need, and again if it dies; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: _Running | None = None
        self._warming: threading.Thread | None = None
        self._is_stopped = False
        self._process_id = os.getpid()
        self.generation = 0
        """Grows when the process is started: machines of an earlier one are gone."""
        _hosts.add(self)

    def warm_up(self) -> None:
        """Start the process in the background, so that a later request need not wait for it."""
        if self._warming is None and self._running is None:
            self._warming = threading.Thread(
                target=self._start_quietly, name="primepods-machines", daemon=True
            )
            self._warming.start()

    def run(self, orders: Iterable[Mapping[str, Any]]) -> dict[str, int]:
        """Start machines by fields of `MachineOrder`; return the ports of those that did start."""
        ports: dict[str, int] = self._send_command({"do": "run", "orders": list(orders)})["ports"]
        return ports

    def end(self, ids: Iterable[str], *, keeps_files: bool) -> None:
        """End machines; their processes are gone a moment later."""
        self._send_command({"do": "end", "ids": list(ids), "keeps_files": keeps_files})

    def set_keys(self, keys: Mapping[str, list[str]]) -> None:
        """Replace the keys that may log in to machines."""
        self._send_command({"do": "keys", "keys": dict(keys)})

    def change(self, machine_id: str, settings: Mapping[str, Any]) -> None:
        """Apply faults to a machine."""
        self._send_command({"do": "change", "id": machine_id, "settings": dict(settings)})

    def is_alive(self) -> bool:
        """Return whether the process runs; clean up after one that has died."""
        with self._lock:
            if self._running is not None and self._running.process.poll() is not None:
                self._abandon_process()
            return self._running is not None

    def stop(self) -> None:
        """End all machines and the process. Calling it again has no effect."""
        # A forked child owns neither.
        if os.getpid() != self._process_id:
            return
        self._is_stopped = True
        if self._warming is not None:
            self._warming.join()
        with self._lock:
            if self._running is None:
                return
            running = self._running
            assert running.process.stdin is not None
            with suppress(OSError):
                running.process.stdin.close()
            # Otherwise it is abandoned below, with everything that it has started.
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(_STOP_TIMEOUT_S)
            self._abandon_process()

    def release_pipes(self) -> None:
        """Release the parent's pipes in a forked child, which must not keep the process alive."""
        if self._running is None:
            return
        process = self._running.process
        null_fd = os.open(os.devnull, os.O_RDWR)
        for file in (process.stdin, process.stdout):
            # Keep the descriptors in use: Python will close them.
            if file is not None and not file.closed:
                os.dup2(null_fd, file.fileno(), inheritable=False)
        os.close(null_fd)

    def _start_quietly(self) -> None:
        # The request that needs the process reports the failure.
        with suppress(MachinesUnavailable), self._lock:
            self._ensure_process()

    def _send_command(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            running = self._ensure_process()
            try:
                answer = _exchange_lines(running, command)
            except (OSError, ValueError) as error:
                self._abandon_process()
                raise MachinesUnavailable(f"The machines of the sandbox do not answer: {error}") from None
        if "error" in answer:
            raise MachinesUnavailable(str(answer["error"]))
        return answer

    def _ensure_process(self) -> _Running:
        if self._is_stopped:
            raise MachinesUnavailable("The sandbox has been stopped")
        if self.is_alive():
            assert self._running is not None
            return self._running
        folder = Path(tempfile.mkdtemp(prefix="primepods-machines-"))
        token = secrets.token_hex(16)
        try:
            self._running = _Running(_start_process(folder), folder, token)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise MachinesUnavailable(f"The machines of the sandbox do not start: {error}") from None
        self.generation += 1
        try:
            _exchange_lines(self._running, {"folder": str(folder), "token": token, "parent": os.getpid()})
        except (OSError, ValueError) as error:
            self._abandon_process()
            raise MachinesUnavailable(f"The machines of the sandbox do not start: {error}") from None
        return self._running

    def _abandon_process(self) -> None:
        """Kill the process if it runs, and remove what it leaves."""
        running, self._running = self._running, None
        if running is None:
            return
        running.process.kill()
        running.process.wait()
        for file in (running.process.stdin, running.process.stdout):
            if file is not None:
                with suppress(OSError):
                    file.close()
        kill_until_gone(lambda mark: mark.startswith(f"{running.token}/"))
        shutil.rmtree(running.folder, ignore_errors=True)


def _start_process(folder: Path) -> subprocess.Popen[bytes]:
    parents = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, parents))
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=env,
        cwd=folder,
        # Jupyter's Interrupt goes to the whole process group of the kernel.
        start_new_session=True,
    )


def _exchange_lines(running: _Running, command: Mapping[str, Any]) -> dict[str, Any]:
    """Send a line and return the answer; raise OSError or ValueError if there is none."""
    stdin, stdout = running.process.stdin, running.process.stdout
    assert stdin is not None
    assert stdout is not None
    left = memoryview(json.dumps(command).encode() + b"\n")
    while left:
        left = left[stdin.write(left) :]
    deadline_s = time.monotonic() + _ANSWER_TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while b"\n" not in running.received:
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                raise OSError("timed out")
            data = os.read(stdout.fileno(), _CHUNK_BYTES)
            if not data:
                raise OSError("it has ended")
            running.received += data
    line, _, running.received = running.received.partition(b"\n")
    answer: dict[str, Any] = json.loads(line)
    return answer


_hosts: weakref.WeakSet[MachineHost] = weakref.WeakSet()


def _release_all_pipes() -> None:
    for host in list(_hosts):
        host.release_pipes()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all_pipes)
