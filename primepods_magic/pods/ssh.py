"""Getting in: the command for each node of a pod, and ``Host`` blocks for everything that speaks ssh."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import PodDetails
from primepods_magic.api.prime_files import CONFIG, prime_folder, read_file
from primepods_magic.api.text import clean, tilde

from .connection import Connection
from .locks import locked

__all__ = ["SshConfig", "ssh_commands", "write_ssh_config"]

_BLOCK = re.compile(r"# pod ([\w-]+) of ([0-9a-f]+)$")
_PLAIN_ID = re.compile(r"[\w-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class SshConfig:
    """Where the ``Host`` blocks of a pod were written.

    Parameters
    ----------
    path : Path
        The file, which is ours alone.
    hosts : tuple of str
        What to type after ``ssh``, one for each node.
    include : str, optional
        The line that ``~/.ssh/config`` needs, where it does not have it.
    """

    path: Path
    hosts: tuple[str, ...]
    include: str | None


def ssh_commands(pod: PodDetails) -> tuple[str | None, ...]:
    """The command that connects to each node of a pod; ``None`` for a node that is not up.

    Raises
    ------
    InvalidRequest
        There is nowhere to connect to yet, or any more.

    Examples
    --------
    >>> ssh_commands(PodDetails(ssh_connection=["root@203.0.113.7 -p 2200", None]))
    ('ssh root@203.0.113.7 -p 2200', None)
    """
    targets = pod.connections
    if not any(targets):
        what = f"'%pods wait {pod.word}' waits for it" if pod.is_live else "it is over"
        raise InvalidRequest(f"'{clean(pod.name)}' has no connection ({clean(pod.status)}); {what}")
    return tuple(target.command if target else None for target in targets)


def write_ssh_config(connection: Connection, pod: PodDetails) -> SshConfig:
    """Write a ``Host`` block for each node of a pod into a file of ours, for ssh, scp, rsync and editors.

    The host key is remembered under the pod's id, not its address: an address that another pod had before
    does not stand in the way, and a key that changes while the pod lives is still refused. What is known of
    this account's pods that are gone is dropped. Nothing else of the user's is touched.

    Parameters
    ----------
    connection : Connection
        Where the pod is.
    pod : PodDetails
        The pod.

    Raises
    ------
    InvalidRequest
        There is nowhere to connect to, or the file cannot be written.

    Examples
    --------
    >>> write_ssh_config(connection, pod).hosts                              # doctest: +SKIP
    ('pod-train',)
    """
    ssh_commands(pod)
    if not pod.id or not _PLAIN_ID.fullmatch(pod.id):
        raise InvalidRequest(f"the id of '{clean(pod.name)}' cannot be written into a configuration of ssh")
    path, known_hosts = _files()
    account = sha256(connection.account.encode()).hexdigest()[:12]
    live = {pod.id for pod in connection.client.list_all_pods() if pod.is_live}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(path.with_suffix(".lock")):
            blocks = dict(_blocks(path))
            gone = {key for key in blocks if key[1] == account and key[0] not in live}
            kept = {key: text for key, text in blocks.items() if key not in gone | {(pod.id, account)}}
            name = _free_name(pod, kept.values())
            hosts, text = _host_blocks(pod, name, known_hosts)
            kept[pod.id, account] = f"# pod {pod.id} of {account}\n{text}"
            _write(path, "\n".join(kept.values()))
            _forget_host_keys(known_hosts, {pod_id for pod_id, _ in gone})
    except OSError as error:
        raise InvalidRequest(f"{tilde(path)} cannot be written ({error.strerror})") from None
    return SshConfig(path, hosts, _missing_include(path))


def _files() -> tuple[Path, Path]:
    import platformdirs

    try:
        folder = Path(platformdirs.user_config_dir("primepods_magic"))
    except RuntimeError:
        folder = Path(os.devnull)
    if any(character in str(folder) for character in '"\n'):
        raise InvalidRequest("your configuration folder's name has a quote in it, which ssh cannot read")
    return folder / "ssh_config", folder / "known_hosts"


def _blocks(path: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """The blocks of the file by pod and account; what is not ours in it is not kept."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    starts = [place for place, line in enumerate(lines) if _BLOCK.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        found = _BLOCK.match(lines[start])
        if found:
            yield (found[1], found[2]), "\n".join(lines[start:end]).rstrip() + "\n"


def _free_name(pod: PodDetails, others: Iterable[str]) -> str:
    """What to type after ``ssh``: the pod's name, with the beginning of its id where another one has it."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", pod.name or "").strip("-.")
    name = f"pod-{plain or pod.id}"
    taken = {word for text in others for word in re.findall(r"^Host (\S+)$", text, re.MULTILINE)}
    is_taken = any(re.fullmatch(rf"{re.escape(name)}(-\d+)?", word) for word in taken)
    return f"{name}-{(pod.id or '')[:6]}" if is_taken else name


def _host_blocks(pod: PodDetails, name: str, known_hosts: Path) -> tuple[tuple[str, ...], str]:
    hosts, blocks = [], []
    for number, target in enumerate(pod.connections, start=1):
        if target is None:
            continue
        host = name if number == 1 else f"{name}-{number}"
        lines = [
            f"HostName {target.host}",
            f"User {target.user}",
            f"Port {target.port}",
            f"HostKeyAlias {pod.id}-{number}",
            f"UserKnownHostsFile {_quoted(known_hosts)}",
            "StrictHostKeyChecking accept-new",
            "HashKnownHosts no",
            "CheckHostIP no",
            *(f"IdentityFile {_quoted(key)}" for key in _identity()),
        ]
        hosts.append(host)
        blocks.append(f"Host {host}\n" + "".join(f"    {line}\n" for line in lines))
    return tuple(hosts), "".join(blocks)


def _identity() -> Iterator[Path]:
    """The key that the official command line would take, where that was chosen."""
    said = os.environ.get("PRIME_SSH_KEY_PATH") or read_file(prime_folder(), CONFIG).content.get(
        "ssh_key_path"
    )
    if isinstance(said, str) and said:
        path = Path(said).expanduser()
        if path.is_file() and not any(character in said for character in '"\n'):
            yield path


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'


def _write(path: Path, text: str) -> None:
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with open(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _forget_host_keys(known_hosts: Path, pod_ids: set[str]) -> None:
    if not pod_ids or not known_hosts.exists():
        return
    lines = known_hosts.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if line.partition(" ")[0].rpartition("-")[0] not in pod_ids]
    if kept != lines:
        _write(known_hosts, "".join(kept))


def _missing_include(path: Path) -> str | None:
    try:
        said = (Path.home() / ".ssh" / "config").read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):
        said = ""
    included = re.findall(r'^\s*Include\s+"?([^"\n]+?)"?\s*$', said, re.MULTILINE | re.IGNORECASE)
    if any(Path(word).expanduser() == path for word in included):
        return None
    place = tilde(path)
    return f'Include "{place}"' if " " in place else f"Include {place}"
