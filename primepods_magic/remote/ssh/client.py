"""The user's own OpenSSH client, started with the words of a route; nothing here takes long to load."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from primepods_magic.api.errors import SshFailed, UnexpectedAnswer
from primepods_magic.api.local.atomic_files import describe_error
from primepods_magic.api.local.folders import shorten_path
from primepods_magic.api.text.sanitize import sanitize

from .log import FailureReason, find_failure, is_logged_in, last_complaint

if TYPE_CHECKING:
    from primepods_magic.api.fields.ssh_target import SshTarget

__all__ = ["SshProcess", "SshRoute", "make_start_failure", "open_ssh"]

_END_TIMEOUT_S = 2.0
# A client logs a few kB, and about 1 kB more for each GB that it transfers. A server may add lines to it.
_MAX_LOG_BYTES = 1 << 20


@dataclass(frozen=True)
class SshRoute:
    """The route to one node of a pod: the words of the ssh command, up to the host."""

    words: tuple[str, ...]
    name: str
    """The pod's name, sanitized."""
    cli_name: str
    target: SshTarget | None = None
    """Its address, which another route with the same words may lack."""


class SshProcess:
    """A running ssh client; `open_ssh` starts and ends it.

    Attributes
    ----------
    process : subprocess.Popen
        With pipes for stdin, stdout and stderr. Only the command on the pod writes to stderr: messages of the
        client go to a separate log.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: BufferedReader, route: SshRoute) -> None:
        self.process = process
        self._log = log
        self._route = route

    def hide_log(self) -> None:
        """Remove the log file but keep it open, so that nothing is left if this process is killed."""
        _remove_log(Path(self._log.name))

    def kill(self) -> None:
        """Kill the client; what it started on the pod may keep running."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def is_logged_in(self) -> bool:
        """True if the server has accepted the login."""
        return is_logged_in(self._read_log())

    @property
    def has_long_log(self) -> bool:
        """True if the server makes the log grow without end, so the connection must not be kept."""
        return os.fstat(self._log.fileno()).st_size > _MAX_LOG_BYTES

    def check_log(self) -> None:
        """Raise UnexpectedAnswer, and kill the client, if the server makes its log grow without end."""
        if self.has_long_log:
            self.kill()
            raise UnexpectedAnswer(
                f"'{self._route.name}' sent more than {_MAX_LOG_BYTES >> 20} MB of messages that are not "
                "output. The connection was closed. What runs there keeps running, and the pod is billed"
            )

    def _read_log(self) -> str:
        return os.pread(self._log.fileno(), _MAX_LOG_BYTES, 0).decode("utf-8", "replace")

    def fail_login(self, limit_s: float) -> NoReturn:
        """Raise SshFailed for a login that does not finish."""
        self.kill()
        raise SshFailed(
            f"'{self._route.name}' did not let you in within {limit_s:.0f} s. Nothing was run on the pod. "
            f"'%pods show {self._route.cli_name}' shows its state",
            reason="unreachable",
        )

    def check_connection(self) -> None:
        """Raise SshFailed if the client ended without its command, with the reason in its log."""
        self.check_log()
        log = self._read_log()
        reason = find_failure(log)
        if reason is not None:
            did = "It may still run there" if is_logged_in(log) else "Nothing was run on the pod"
            message = _describe_failure(reason, self._route, last_complaint(log), did)
            raise SshFailed(message, reason=reason)


def _describe_failure(reason: FailureReason, route: SshRoute, complaint: str, did: str) -> str:
    name, word = route.name, route.cli_name
    look = f"'%pods show {word}' shows its state"
    return {
        "host-key": f"'{name}' has a different host key than before, so it may be another machine. {did}. "
        f"'%pods rm {word}' terminates the pod",
        "denied": f"'{name}' accepts none of your SSH keys ({complaint}). {did}. '%pods keys' lists the keys "
        "of your account; PRIME_SSH_KEY_PATH names the private key to use",
        "refused": f"'{name}' refuses SSH connections ({complaint}). {did}. {look}",
        "unreachable": f"Cannot reach '{name}' by SSH ({complaint}). {did}. {look}",
        "lost": f"The connection to '{name}' was lost ({complaint}). {did}. The pod is still billed",
        "setup": f"ssh cannot connect to '{name}' ({complaint}). {did}",
    }[reason]


@contextlib.contextmanager
def open_ssh(route: SshRoute, command: str, *, keeps_stderr: bool = True) -> Iterator[SshProcess]:
    """Start the client with a command for the pod, and end it with the block.

    The command's stderr must be read, or not kept: a full pipe stops the connection. The command is visible
    in process lists on both sides, so it must not contain anything of the user's.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="primepods-ssh-", ignore_cleanup_errors=True)
            )
            path = Path(folder, "log")
            stack.callback(_remove_log, path)
            path.touch(mode=0o600)
            log = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise make_start_failure("The folder for temporary files cannot be used", error) from None
        # ssh needs no keys and tokens of the service, and its configuration may forward variables.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PRIME")}
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed command, and a host name of our own
                [route.words[0], "-E", str(path), *route.words[1:], command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if keeps_stderr else subprocess.DEVNULL,
                env=environment,
                # Jupyter interrupts the whole process group of the kernel.
                start_new_session=True,
            )
        except OSError as error:
            raise make_start_failure("ssh does not run", error) from None
        with process:
            try:
                yield SshProcess(process, log, route)
            finally:
                _end_process(process)


def _remove_log(path: Path) -> None:
    """Remove a log and its folder, even if no file can be opened."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def make_start_failure(what: str, error: OSError) -> SshFailed:
    """Build the error for a client that this computer cannot start."""
    help_text = ""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        help_text = ". Close files or connections, or restart the kernel"
    elif tempfile.tempdir is not None and not os.access(tempfile.tempdir, os.W_OK):
        # Python chooses the folder once.
        place = sanitize(shorten_path(Path(tempfile.tempdir)))
        help_text = f". Make {place} a folder that you may write to, or set TMPDIR and restart the kernel"
    return SshFailed(
        f"{what} ({describe_error(error)}). Nothing was run on the pod{help_text}", reason="setup"
    )


def _end_process(process: subprocess.Popen[bytes]) -> None:
    """End the client and its helpers, such as jump hosts, in whatever state they are."""
    with contextlib.suppress(OSError):
        if process.stdin:
            process.stdin.close()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
