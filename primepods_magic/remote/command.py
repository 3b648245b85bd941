"""A shell command on a pod: its output as it arrives, its exit code, and Ctrl-C."""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from primepods_magic.api.errors import (
    CommandFailed,
    InvalidRequest,
    SshFailed,
    WaitInterrupted,
    WaitTimedOut,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.validation.bounds import check_seconds
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.notices import warn

from .interrupts import Interrupts, counted_interrupts
from .ssh.client import SshProcess, SshRoute, open_ssh
from .ssh.routes import find_route, is_fresh

__all__ = ["CommandResult", "StreamName", "check_exit_code", "run_command"]

StreamName = Literal["stdout", "stderr"]

# The command arrives on stdin, so that no process list shows it; a partial command is not run. Later lines
# are signals for its process group. The subshell that reads them keeps no output open, and ends with the
# connection.
_SHELL = (
    r'IFS= read -r c || exit; c=$(printf "%bx" "$c"); c=${c%x}; exec 3<&0 </dev/null; '
    r'{ trap "" INT TERM HUP; while read -r s; do kill -s "$s" 0; done; } <&3 >/dev/null 2>&1 & '
    r'exec 3<&-; trap "exit 130" INT; trap "exit 143" TERM; eval "$c"'
)
_BOOTSTRAP = f"exec /bin/sh -c '{_SHELL}'"

_LOGIN_S = 30.0
_LOGIN_PATIENCE_S = 90.0
_RETRY_S = 2.0
_TICK_S = 0.2
_TERM_INTERVAL_S = 0.5
_MAX_TERMS = 10
_CHUNK_BYTES = 65_536
_NOT_YET = ("refused", "denied", "unreachable")


@dataclass(frozen=True)
class CommandResult:
    """Result of a command on a pod.

    Attributes
    ----------
    exit_code : int
        0 if it succeeded.
    stdout, stderr : str
        Its output, decoded as UTF-8 and otherwise unchanged.
    seconds : float
        From the login to its end.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    def __repr__(self) -> str:
        first = shorten(sanitize(self.stdout.strip().partition("\n")[0]), 60)
        return f"<CommandResult exit code {self.exit_code}, {self.seconds:.1f} s{first and f': {first}'}>"


def run_command(
    connection: Connection,
    pod: PodDetails,
    command: str | Sequence[str],
    *,
    node: int = 1,
    timeout_s: float | None = None,
    on_output: Callable[[StreamName, bytes], object] | None = None,
) -> CommandResult:
    """Run a command on a pod with its ``/bin/sh``, and return its output and exit code.

    A string is passed to the shell; a sequence of words is one command with exactly these arguments. With
    `on_output`, output goes there as it arrives and is not kept. The command has no input. Ctrl-C sends
    SIGINT to it; pressing it twice within two seconds stops waiting. Raises SshFailed if there is no
    connection (for a new pod, logins are retried for 90 s), WaitTimedOut, WaitInterrupted, or InvalidRequest.
    """
    line = _encode_command(command)
    if timeout_s is not None:
        check_seconds("timeout_s", timeout_s)
    route = find_route(connection, pod, node=node)
    give_up = time.monotonic() + (_LOGIN_PATIENCE_S if is_fresh(connection, pod) else 0)
    is_warned = False
    while True:
        try:
            return _run_once(route, line, timeout_s, on_output)
        except SshFailed as error:
            if error.reason not in _NOT_YET or time.monotonic() + _RETRY_S > give_up:
                raise
        if not is_warned:
            warn(
                f"'{route.name}' is up, but its SSH server does not accept logins yet. Trying for up to "
                f"{_LOGIN_PATIENCE_S:.0f} s"
            )
            is_warned = True
        try:
            time.sleep(_RETRY_S)
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"Stopped trying to log in to '{route.name}'. Nothing was run; the pod is still billed"
            ) from None


def _encode_command(command: str | Sequence[str]) -> bytes:
    """Return a command as one line, which ``printf %b`` turns back into its text."""
    if isinstance(command, str):
        text = command
    elif isinstance(command, Sequence) and all(isinstance(word, str) for word in command):
        text = shlex.join(command)
    else:
        raise InvalidRequest("A command must be a string, or a list of strings. Nothing was run")
    if not text.strip() or "\0" in text:
        raise InvalidRequest("The command is empty or has a null character. Nothing was run")
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    try:
        return escaped.encode("utf-8", "surrogateescape") + b"\n"
    except UnicodeEncodeError:
        raise InvalidRequest("The command has a character that cannot be encoded. Nothing was run") from None


def _run_once(
    route: SshRoute,
    line: bytes,
    timeout_s: float | None,
    on_output: Callable[[StreamName, bytes], object] | None,
) -> CommandResult:
    kept: dict[StreamName, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    began = time.monotonic()
    with open_ssh(route, _BOOTSTRAP) as ssh, counted_interrupts() as interrupts:
        _send_line(ssh.process, line)
        _CommandWatch(ssh, route.name, timeout_s, interrupts).follow(
            on_output or (lambda name, data: kept[name].extend(data))
        )
        exit_code = ssh.process.wait()
        # ssh itself returns 255, or has been killed.
        if exit_code == 255 or exit_code < 0:
            ssh.check_connection()
    if interrupts.age_s is not None:
        raise WaitInterrupted(
            f"Interrupted: the command on '{route.name}' ended with exit code {exit_code}. The pod keeps "
            "running and is billed"
        )
    texts = {name: data.decode("utf-8", "replace") for name, data in kept.items()}
    return CommandResult(exit_code, texts["stdout"], texts["stderr"], time.monotonic() - began)


def _send_line(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    # The client may have ended; its log says why.
    with suppress(OSError):
        process.stdin.write(line)
        process.stdin.flush()


class _CommandWatch:
    """One command while it runs: its output, its time limit, and Ctrl-C."""

    def __init__(
        self,
        ssh: SshProcess,
        name: str,
        timeout_s: float | None,
        interrupts: Interrupts,
    ) -> None:
        self._ssh = ssh
        self._process = ssh.process
        self._name = name
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._terms_sent = 0
        self._login_deadline = time.monotonic() + _LOGIN_S
        self._is_logged_in = False
        self._interrupts = interrupts

    def follow(self, on_output: Callable[[StreamName, bytes], object]) -> None:
        """Pass output on until the command has ended."""
        with selectors.DefaultSelector() as selector:
            for stream, name in ((self._process.stdout, "stdout"), (self._process.stderr, "stderr")):
                assert stream is not None
                selector.register(stream, selectors.EVENT_READ, name)
            # Both streams may be closed before the end.
            while selector.get_map() or not self._has_ended():
                for key, _ in selector.select(_TICK_S) if selector.get_map() else ():
                    data = os.read(key.fd, _CHUNK_BYTES)
                    if data:
                        self._is_logged_in = True
                        self._ssh.hide_log()
                        on_output(key.data, data)
                    else:
                        selector.unregister(key.fileobj)
                self._ssh.check_log()
                self._check_login()
                self._check_interrupts()
                self._check_deadline()
        if self._terms_sent:
            raise self._make_timeout("was terminated")

    def _has_ended(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TICK_S)
        return self._process.returncode is not None

    def _check_login(self) -> None:
        """Give up on a login that does not finish, even if data arrives."""
        if not self._is_logged_in and time.monotonic() > self._login_deadline:
            self._is_logged_in = self._ssh.is_logged_in
            if not self._is_logged_in:
                self._ssh.fail_login(_LOGIN_S)

    def _check_interrupts(self) -> None:
        while (is_second := self._interrupts.take()) is not None:
            if is_second:
                raise WaitInterrupted(
                    f"Stopped waiting for the command on '{self._name}', which may still run there. The pod "
                    "keeps running and is billed"
                )
            _send_line(self._process, b"INT\n")

    def _check_deadline(self) -> None:
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        if self._terms_sent == _MAX_TERMS:
            raise self._make_timeout("ignores SIGTERM and may still run there")
        # A shell that is about to start a program does not forward the signal, so it is repeated.
        _send_line(self._process, b"TERM\n")
        self._terms_sent += 1
        self._deadline = time.monotonic() + _TERM_INTERVAL_S

    def _make_timeout(self, what: str) -> WaitTimedOut:
        return WaitTimedOut(
            f"The command on '{self._name}' did not end within {self._timeout_s:g} s and {what}. "
            "The pod keeps running and is billed"
        )


def check_exit_code(pod: PodDetails, result: CommandResult) -> None:
    """Raise CommandFailed if a command failed."""
    if result.exit_code:
        reason = shorten(sanitize(result.stderr.strip().rpartition("\n")[2]), 300)
        raise CommandFailed(
            f"The command on '{sanitize(pod.name)}' failed with exit code {result.exit_code}"
            f"{f': {reason}' if reason else ''}. The pod keeps running and is billed",
            exit_code=result.exit_code,
            result=result,
        )
