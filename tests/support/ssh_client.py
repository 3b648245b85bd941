"""OpenSSH's own clients, with nothing of the computer's set-up in them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 30.0


def make_key(folder: Path, name: str = "id") -> Path:
    """A new key without a passphrase: the path of the private one."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@dataclass(frozen=True)
class Login:
    """How to log in somewhere: options for `ssh`, `scp` and `sftp`, and the target."""

    target: str
    options: tuple[str, ...]

    @classmethod
    def make(cls, target: str, key: Path, known_hosts: Path, **settings: object) -> Login:
        """A login with one key; `settings` are further lines of a configuration, such as `Port`."""
        lines = {
            "IdentityFile": key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": known_hosts,
            "StrictHostKeyChecking": "accept-new",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            **settings,
        }
        pairs = (f"{name}={value}" for name, value in lines.items())
        return cls(target, ("-F", "/dev/null", *(word for pair in pairs for word in ("-o", pair))))

    def run(
        self, command: str | None, *options: str, input: str = "", timeout: float = TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there, or the login shell; `options` are those of `ssh`."""
        words = self.words(command, *options)
        return subprocess.run(words, input=input, capture_output=True, text=True, timeout=timeout)

    def read(self, command: str) -> str:
        """What a command prints that succeeds."""
        done = self.run(command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def words(self, command: str | None, *options: str) -> list[str]:
        """The command line."""
        return ["ssh", *self.options, *options, self.target, *([] if command is None else [command])]

    @contextmanager
    def started(self, command: str | None, *options: str) -> Iterator[subprocess.Popen[str]]:
        """A client that is still running, and is killed at the end of the block."""
        with subprocess.Popen(
            self.words(command, *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def copy(self, program: str, *paths: str) -> subprocess.CompletedProcess[str]:
        """Run `scp` or `sftp`."""
        words = [program, *self.options, *paths]
        return subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S)


def is_running(pid: int | str) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        status = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


# Twice forked and in a session of its own; prints its id.
DAEMON = """python3 -c '
import os, sys
if os.fork(): os.wait(); sys.exit()
os.setsid()
if os.fork(): os._exit(0)
print(os.getpid(), flush=True)
null = os.open(os.devnull, os.O_RDWR)
for number in range(3): os.dup2(null, number)
os.execvp("sleep", ["sleep", "1000"])
'"""
