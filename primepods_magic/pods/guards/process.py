"""The guard process of an account: a detached process on this computer that outlives all kernels."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Client
from multiprocessing.context import AuthenticationError as WrongToken
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakSet

from pydantic import BaseModel, ConfigDict, ValidationError

from primepods_magic._version import __version__
from primepods_magic.api.errors import GuardNotArmed, PodsError
from primepods_magic.api.local.atomic_files import read_plain_file, write_atomically
from primepods_magic.api.local.folders import make_folder
from primepods_magic.api.secrets.names import sounds_secret
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection

from .records import find_account_folder, list_records

__all__ = [
    "LOCK_FILE",
    "MODULE",
    "OWN_SETTINGS",
    "GuardProcess",
    "ProcessFile",
    "answer_here",
    "describe_settings",
    "find_process",
    "open_process",
]

MODULE = "primepods_magic.remote.guards"
OWN_SETTINGS = "--own-settings"
"""The option with which the process reads its settings itself, and stays."""
PROCESS_FILE = "process.json"
LOCK_FILE = "process.lock"
LOG_FILE = "process.log"
_START_S = 30.0
_OTHER_START_S = 2.0
_POLL_S = 0.05
_PING_S = 2.0
_STOP_S = 20.0
_ANSWER_S = 120.0
_MAX_LOG_BYTES = 1 << 20
_ending: WeakSet[Connection] = WeakSet()
"""Connections to sandboxes of this process, with which the guard process ends."""


class ProcessFile(BaseModel):
    """The address of the socket of the guard process of an account, and the token that opens it."""

    model_config = ConfigDict(frozen=True)

    address: str
    token: str
    pid: int
    version: str

    def write(self, folder: Path) -> None:
        """Write it for this user only; raise OSError if that fails."""
        write_atomically(folder / PROCESS_FILE, self.model_dump_json())

    @classmethod
    def read(cls, folder: Path) -> ProcessFile | None:
        """Return the one of the newest process, which may have ended."""
        try:
            return cls.model_validate_json(read_plain_file(folder / PROCESS_FILE))
        except (OSError, ValidationError):
            return None


class GuardProcess:
    """The guard process of an account, as kernels speak to it."""

    def __init__(self, file: ProcessFile) -> None:
        self._file = file

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._file.pid

    @property
    def version(self) -> str:
        """The version of this package that it runs."""
        return self._file.version

    def ask(self, op: str, *, timeout_s: float = _ANSWER_S, **fields: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises GuardNotArmed if the process does not answer, or PodsError with the reason if it refuses.
        """
        # In a thread of its own: connecting to a process that is stopped takes forever.
        answers: SimpleQueue[dict[str, Any] | str] = SimpleQueue()
        request = json.dumps({"op": op, **fields}).encode()
        threading.Thread(target=self._ask_once, args=(request, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=timeout_s)
        except Empty:
            raise GuardNotArmed(f"The guard process did not answer within {timeout_s:.0f} s") from None
        if isinstance(answer, str):
            raise GuardNotArmed(f"The guard process does not answer ({answer})")
        return _check_answer(answer)

    def _ask_once(self, request: bytes, answers: SimpleQueue[dict[str, Any] | str]) -> None:
        try:
            with Client(self._file.address, authkey=bytes.fromhex(self._file.token)) as connection:
                connection.send_bytes(request)
                answers.put(dict(json.loads(connection.recv_bytes())))
        except (OSError, EOFError, ValueError, WrongToken) as error:
            answers.put(type(error).__name__)


class _ThisProcess(GuardProcess):
    """The guard process as it speaks to itself: requests are calls."""

    def __init__(self, file: ProcessFile, answer: Callable[..., dict[str, Any]]) -> None:
        super().__init__(file)
        self._answer = answer

    def ask(self, op: str, *, timeout_s: float = _ANSWER_S, **fields: Any) -> dict[str, Any]:
        return _check_answer(self._answer(op, **fields))


def _check_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer; raise PodsError if it is a refusal."""
    if "refused" in answer:
        raise PodsError(answer["refused"])
    return answer


_this_process: GuardProcess | None = None


def answer_here(file: ProcessFile, answer: Callable[..., dict[str, Any]]) -> None:
    """Let this process be the guard process: a launch in it has its guard here, without a socket."""
    global _this_process
    _this_process = _ThisProcess(file, answer)


def find_process(folder: Path | None) -> GuardProcess | None:
    """Return the running guard process of an account, or None."""
    file = ProcessFile.read(folder) if folder else None
    if file is None:
        return None
    process = GuardProcess(file)
    try:
        process.ask("ping", timeout_s=_PING_S)
    except PodsError:
        return None
    return process


def describe_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as the process gets them, the key included."""
    return {"base_url": settings.base_url, "api_key": settings.api_key, "team_id": settings.team_id}


def open_process(connection: Connection) -> GuardProcess:
    """Return the guard process of an account, started if it does not run, with this connection's key.

    Raises GuardNotArmed if it cannot be started.
    """
    if _this_process is not None:
        return _this_process
    folder = find_account_folder(connection)
    if folder is None:
        raise GuardNotArmed("Guards need a home folder on this computer, which is unknown. Set HOME")
    # The key goes through a pipe or a socket, never into an argument, a variable or a file.
    given = describe_settings(connection.settings)
    process = find_process(folder)
    # One that is ending a pod goes on: it would do half of that twice.
    is_ending = any(record.state == "ending" for record in list_records(folder))
    if process is not None and process.version != __version__ and not is_ending:
        _replace_process(process, folder)
        process = None
    if process is None:
        process = _start_process(folder, given)
    else:
        process.ask("settings", settings=given)
    if connection.is_sandbox_here and connection not in _ending:
        # Without its sandbox it could only wait; the next one that starts it finds the records.
        _ending.add(connection)
        connection.on_close.append(lambda: _stop_process(folder))
    return process


def _replace_process(process: GuardProcess, folder: Path) -> None:
    """Stop a process of another version, and wait until it has ended."""
    process.ask("stop")
    give_up = time.monotonic() + _STOP_S
    while find_process(folder) is not None and time.monotonic() < give_up:
        time.sleep(_POLL_S)


def _stop_process(folder: Path) -> None:
    process = find_process(folder)
    if process is not None:
        with suppress(PodsError):
            process.ask("stop")


def _start_process(folder: Path, settings: dict[str, Any]) -> GuardProcess:
    try:
        make_folder(folder)
        log = _open_log(folder)
    except OSError as error:
        raise GuardNotArmed(
            f"Guards need a folder on this computer, which cannot be written ({error.strerror})"
        ) from None
    root = str(Path(__file__).parents[3])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    # What other processes of this user can read holds no secret.
    environment = {name: value for name, value in os.environ.items() if not sounds_secret(name)}
    environment["PYTHONPATH"] = os.pathsep.join([*others, root])
    with log:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", MODULE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/" if os.path.isdir("/") else None,
            env=environment,
            start_new_session=True,
        )
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(OSError), child.stdin:
        child.stdin.write(json.dumps(settings).encode())
    with child.stdout:
        # The process closes its output once it can be reached, or by its end.
        select.select([child.stdout], [], [], _START_S)
    child.wait()
    # Another kernel may have started one at the same moment: then this one has ended by itself.
    give_up = time.monotonic() + _OTHER_START_S
    while True:
        process = find_process(folder)
        if process is not None:
            return process
        if time.monotonic() > give_up:
            break
        time.sleep(_POLL_S)
    raise GuardNotArmed(f"The guard process does not start on this computer: {_read_reason(folder)}")


def _open_log(folder: Path) -> Any:
    path = folder / LOG_FILE
    is_long = path.exists() and path.stat().st_size > _MAX_LOG_BYTES
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if is_long else os.O_APPEND), 0o600)
    return open(descriptor, "ab")


def _read_reason(folder: Path) -> str:
    try:
        lines = read_plain_file(folder / LOG_FILE).decode("utf-8", "replace").split("\n")
    except OSError as error:
        return type(error).__name__
    last = next((line for line in reversed(lines) if line.strip()), "it says nothing")
    return last[-300:]
