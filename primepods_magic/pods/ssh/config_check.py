"""Check by ``ssh -G``, without a request, whether our ``Host`` blocks take effect."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from primepods_magic.api.local.atomic_files import describe_error, read_plain_file
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["find_obstacle"]

_TIMEOUT_S = 5.0
_CONFIG = "~/.ssh/config"
_NOT_INCLUDED = f"{_CONFIG} does not include it yet"
_COMPARED = {
    "hostname": "HostName",
    "user": "User",
    "port": "Port",
    "hostkeyalias": "HostKeyAlias",
    "userknownhostsfile": "UserKnownHostsFile",
    "identitiesonly": "IdentitiesOnly",
}
_INCLUDE = re.compile(r"^\s*Include[\s=].*$", re.MULTILINE | re.IGNORECASE)
_TILDE = re.compile(r'(?<=[\s="])~/')


class _SshCheckError(Exception):
    """A failure to ask ssh; the message says why."""


def find_obstacle(ours: Path, hosts: Iterable[str]) -> str | None:
    """Return why the blocks of our file do not take effect for some hosts, or None if they do."""
    home = find_home()
    if home is None:
        return _NOT_INCLUDED
    try:
        with _open_readable_config(home / ".ssh" / "config", home) as (readable, text):
            for host in hosts:
                obstacle = _compare_settings(ours, readable, host, text)
                if obstacle:
                    return obstacle
    except _SshCheckError as error:
        return str(error)
    except OSError as error:
        return f"cannot check whether {_CONFIG} includes it ({describe_error(error)})"
    return None


def _compare_settings(ours: Path, config: Path | None, host: str, text: str) -> str | None:
    wanted, actual = _ask_ssh(ours, host), _ask_ssh(config, host)
    if actual["hostname"] == [host.lower()]:
        # A commented-out line does not match.
        name = f"{ours.parent.name}/{ours.name}"
        if any(name in line[0] for line in _INCLUDE.finditer(text)):
            return (
                f"the Include line in {_CONFIG} does not take effect for {host}: it is below a Host or Match "
                "line"
            )
        return _NOT_INCLUDED
    others = [name for key, name in _COMPARED.items() if actual.get(key) != wanted.get(key)]
    if wanted.get("identitiesonly") == ["yes"] and not set(wanted["identityfile"]) <= set(
        actual.get("identityfile", [])
    ):
        others.append("IdentityFile")
    if others:
        return f"{_CONFIG} sets a different {' and '.join(others)} for {host} before it includes our file"
    return None


@contextlib.contextmanager
def _open_readable_config(config: Path, home: Path) -> Iterator[tuple[Path | None, str]]:
    """Yield the file to ask ssh about, or None if ssh finds it itself, and its text.

    ssh reads ``~`` from the password file only; otherwise it gets a copy in which ``~`` is this process's
    home.
    """
    is_found = _read_passwd_home() in (None, str(home))
    try:
        text = read_plain_file(config).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        if not is_found:
            raise _SshCheckError(_NOT_INCLUDED) from None
        text = ""
    except OSError as error:
        raise _SshCheckError(f"{_CONFIG} cannot be read ({describe_error(error)})") from None
    if is_found:
        yield None, text
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as copy:
        copy.write(_INCLUDE.sub(lambda line: _TILDE.sub(lambda _: f"{home}/", line[0]), text))
        copy.flush()
        yield Path(copy.name), text


def _read_passwd_home() -> str | None:
    """Return this user's home folder from the password file."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return None


def _ask_ssh(config: Path | None, host: str) -> dict[str, list[str]]:
    """Return a host's settings as ssh reads them from a file or its default places."""
    ssh = shutil.which("ssh")
    if ssh is None:
        raise _SshCheckError(f"cannot check whether {_CONFIG} includes it: there is no ssh client here")
    try:
        returned, out, complaint = _run_briefly([ssh, "-G", *(["-F", str(config)] if config else []), host])
    except subprocess.TimeoutExpired:
        raise _SshCheckError(
            f"cannot check whether {_CONFIG} includes it: ssh timed out after {_TIMEOUT_S:.0f} s"
        ) from None
    except OSError as error:
        raise _SshCheckError(
            f"cannot check whether {_CONFIG} includes it: ssh does not run ({describe_error(error)})"
        ) from None
    settings: dict[str, list[str]] = {}
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key, []).append(value)
    if returned or "hostname" not in settings:
        message = complaint.decode("utf-8", "replace")
        message = message.replace(str(config), _CONFIG) if config else message
        raise _SshCheckError(f"ssh cannot read {_CONFIG} ({_find_first_complaint(message)})")
    return settings


def _run_briefly(words: list[str]) -> tuple[int, bytes, bytes]:
    """Run a command without a shell; kill it and its children if it takes too long."""
    has_groups = hasattr(os, "killpg")
    with subprocess.Popen(  # noqa: S603 - a host is a plain word
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=has_groups,
    ) as process:
        try:
            out, complaint = process.communicate(timeout=_TIMEOUT_S)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                if has_groups:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            raise
    return process.returncode, out, complaint


def _find_first_complaint(text: str) -> str:
    lines = [line for line in text.splitlines() if "Pseudo-terminal" not in line and line.strip()]
    return sanitize(lines[0])[:200] if lines else "no reason given"
