"""SSH access: the command for each node of a pod, and ``Host`` blocks for ssh and its relatives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file, write_atomically
from primepods_magic.api.local.folders import expand_path, find_folder, find_home, make_folder, shorten_path
from primepods_magic.api.local.prime_config import CONFIG, prime_folder, read_file
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.name_lock import locked

from .config_check import find_obstacle
from .own_keys import DEFAULT_FILES, find_account_key, find_sandbox_key

__all__ = ["HostBlocks", "SshConfig", "knows_host", "ssh_commands", "write_host_blocks", "write_ssh_config"]

_BLOCK = re.compile(r"# pod ([\w-]+) of ([0-9a-f]+)\s*$")
_HOST = re.compile(r"^Host (\S+)$", re.MULTILINE)
_PLAIN_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
# ssh cannot quote these in a path: quotes, line ends, environment variables, escapes.
_UNQUOTABLE = re.compile(r'["\x00-\x1f\x7f]|\$\{' + (r"|\\" if os.sep == "/" else ""))
_MAX_NAME_CHARS = 60


@dataclass(frozen=True)
class SshConfig:
    """Result of writing a pod's ``Host`` blocks into our own file at `path`.

    `hosts` are the names to type after ``ssh``, one per node. `include` is the line that ``~/.ssh/config``
    needs at its top, None if ssh uses the blocks already; `obstacle` says why it does not. `notes` name a
    chosen key that the blocks leave out.
    """

    path: Path
    hosts: tuple[str, ...]
    include: str | None
    obstacle: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostBlocks:
    """The ``Host`` blocks of a pod in our own file: the names of its nodes, and a note on an unused key."""

    path: Path
    hosts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def ssh_commands(pod: PodDetails) -> tuple[str | None, ...]:
    """Return the command that connects to each node of a pod; ``None`` for a node that is not up.

    Raises InvalidRequest if the pod does not run, or no node can be reached yet.

    >>> ssh_commands(PodDetails(ssh_connection=["root@203.0.113.7 -p 2200", None]))
    ('ssh root@203.0.113.7 -p 2200', None)
    """
    targets = pod.connections
    if not any(targets):
        raise InvalidRequest(
            f"'{sanitize(pod.name)}' has no connection ({sanitize(pod.status)}). {_suggest_next_step(pod)}"
        )
    return tuple(target.command if target else None for target in targets)


def write_ssh_config(connection: Connection, pod: PodDetails) -> SshConfig:
    """Write a ``Host`` block for each node of a pod into our own file, for ssh, scp, rsync and editors.

    The host key is stored under the pod's id, not its address: an address that another pod had before is no
    obstacle, and a key that changes while the pod is live is still refused. Blocks of this account's pods
    that do not run are removed, and host keys of those that are gone. Nothing else of the user's is changed.
    ``ssh -G`` checks whether ``~/.ssh/config`` includes the blocks. Raises InvalidRequest if the pod cannot
    be reached or the file written.

    >>> write_ssh_config(connection, pod).hosts                              # doctest: +SKIP
    ('pod-train',)
    """
    written = write_host_blocks(connection, pod)
    obstacle = find_obstacle(written.path, written.hosts)
    include = _format_include_line(written.path) if obstacle else None
    return SshConfig(written.path, written.hosts, include, obstacle, written.notes)


def write_host_blocks(
    connection: Connection, pod: PodDetails, *, only_if_changed: bool = False
) -> HostBlocks:
    """Write a pod's ``Host`` blocks as `write_ssh_config` does, and return them. Raises the same errors.

    With `only_if_changed`, blocks that are up to date stay, and the service is not asked.
    """
    ssh_commands(pod)
    heading = _format_heading(pod, connection)
    path, known_hosts = _find_files()
    keys, notes, is_only = _find_keys(connection)
    if only_if_changed:
        present = next((text for _, text in _parse_blocks(path) if text.startswith(heading)), "")
        host = (_HOST.findall(present) or [""])[0]
        name = host.removesuffix(_node_suffix(pod))
        hosts, text = _format_host_blocks(pod, name, known_hosts, keys, is_only)
        if present == heading + text:
            return HostBlocks(path, hosts, notes)
    account = _hash_account(connection)
    pods = connection.client.list_all_pods()
    # A list may lag behind: this pod runs.
    live = {pod.id, *(other.id for other in pods if other.is_live)}
    running = {pod.id, *(other.id for other in pods if any(other.connections))}
    try:
        make_folder(path.parent)
        with locked(path.with_suffix(".lock")):
            blocks = dict(_parse_blocks(path))
            gone = {key for key in blocks if key[1] == account and key[0] not in live}
            kept = {key: text for key, text in blocks.items() if key not in gone | {(pod.id or "", account)}}
            for (pod_id, whose), text in kept.items():
                if whose == account and pod_id not in running:
                    # Keep the heading, so that the host key is removed once the pod is gone.
                    kept[pod_id, whose] = text.partition("\n")[0] + "\n"
            name = _choose_host_name(pod, kept.values())
            hosts, text = _format_host_blocks(pod, name, known_hosts, keys, is_only)
            kept[pod.id or "", account] = heading + text
            write_atomically(path, "\n".join(kept.values()))
            _forget_host_keys(known_hosts, {pod_id for pod_id, _ in gone})
    except OSError as error:
        raise InvalidRequest(
            f"Cannot write {shorten_path(path)} ({describe_error(error)}). "
            f"'%pods ssh {pod.cli_name}' shows the ssh command, which does not need the file"
        ) from None
    return HostBlocks(path, hosts, notes)


def _suggest_next_step(pod: PodDetails) -> str:
    if not pod.is_live:
        return "It is gone"
    targets = pod.ssh_connection if isinstance(pod.ssh_connection, list) else [pod.ssh_connection]
    texts = [sanitize(text[:200]) for text in targets if isinstance(text, str) and text.strip()]
    if texts and pod.status == PodStatus.ACTIVE:
        return f"Cannot parse the connection from the service: {', '.join(texts[:3])}"
    if pod.status == PodStatus.STOPPED:
        return f"Start it in the dashboard, then run '%pods wait {pod.cli_name}'"
    if pod.has_failed:
        return f"'%pods show {pod.cli_name}' shows its details"
    return f"'%pods wait {pod.cli_name}' waits for it"


def _find_files() -> tuple[Path, Path]:
    folder = find_folder("config")
    if folder is None:
        raise InvalidRequest("The home folder is unknown, so Host blocks cannot be written")
    if _UNQUOTABLE.search(str(folder)):
        raise InvalidRequest(
            f"ssh cannot read the name of your configuration folder, {sanitize(folder)}: "
            "it contains a quote, a backslash or a variable"
        )
    return folder / "ssh_config", folder / "known_hosts"


def _parse_blocks(path: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the file's blocks by pod and account; anything else is dropped."""
    lines = _read_lines(path)
    starts = [index for index, line in enumerate(lines) if _BLOCK.match(line)]
    for start, end in zip(starts, [*starts[1:], None], strict=False):
        match = _BLOCK.match(lines[start])
        if match:
            yield (match[1], match[2]), "\n".join(lines[start:end]).rstrip() + "\n"


def _read_lines(path: Path) -> list[str]:
    """Return the lines of our own file; none if it cannot be read, because it can be rewritten."""
    try:
        return read_plain_file(path).decode("utf-8", "replace").split("\n")
    except OSError:
        return []


def _choose_host_name(pod: PodDetails, others: Iterable[str]) -> str:
    """Return the host name for a pod: its name, with its id if another pod has that name."""
    pod_id = pod.id or ""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", pod.name or "")[:_MAX_NAME_CHARS].strip("-.")
    name = f"pod-{plain or pod_id}"
    taken = {word for text in others for word in _HOST.findall(text)}
    for free in (name, f"{name}-{pod_id[:6]}"):
        if not any(re.fullmatch(rf"{re.escape(free)}(-\d+)?", word) for word in taken):
            return free
    return f"{name}-{pod_id}"


def _format_host_blocks(
    pod: PodDetails, name: str, known_hosts: Path, keys: tuple[Path, ...], is_only: bool
) -> tuple[tuple[str, ...], str]:
    hosts, blocks = [], []
    for number, target in enumerate(pod.connections, start=1):
        if target is None:
            continue
        host = name + _name_node(number)
        lines = [
            f"HostName {target.host}",
            f"User {target.user}",
            f"Port {target.port}",
            f"HostKeyAlias {pod.id}-{number}",
            f"UserKnownHostsFile {_quote_path(known_hosts)}",
            "StrictHostKeyChecking accept-new",
            "HashKnownHosts no",
            "CheckHostIP no",
            *(f"IdentityFile {_quote_path(key)}" for key in keys),
            # An agent with many keys would exhaust the server's allowed attempts.
            *(["IdentitiesOnly yes"] if is_only else []),
        ]
        hosts.append(host)
        blocks.append(f"Host {host}\n" + "".join(f"    {line}\n" for line in lines))
    return tuple(hosts), "".join(blocks)


def _name_node(number: int) -> str:
    return "" if number == 1 else f"-{number}"


def _node_suffix(pod: PodDetails) -> str:
    """Return what the name of a pod's first node that is up ends with."""
    return next(_name_node(number) for number, target in enumerate(pod.connections, 1) if target)


def _format_heading(pod: PodDetails, connection: Connection) -> str:
    if not pod.id or not _PLAIN_ID.fullmatch(pod.id):
        raise InvalidRequest(f"The id of '{sanitize(pod.name)}' cannot be written into an ssh configuration")
    return f"# pod {pod.id} of {_hash_account(connection)}\n"


def _hash_account(connection: Connection) -> str:
    return sha256(connection.account.encode("utf-8", "replace")).hexdigest()[:12]


def _find_keys(connection: Connection) -> tuple[tuple[Path, ...], tuple[str, ...], bool]:
    """Return the keys that the blocks name, notes, and whether ssh is to try no other ones."""
    chosen, notes = _find_identity()
    own = find_sandbox_key(connection.instance) if connection.has_machines else None
    if own is not None and not _UNQUOTABLE.search(str(own)):
        return (own, *chosen), notes, True
    made, home = find_account_key(), find_home()
    if chosen or made is None or home is None or _UNQUOTABLE.search(str(made)):
        return chosen, notes, bool(chosen)
    # ssh tries its default files only if none is named.
    others = [home / ".ssh" / name for name in DEFAULT_FILES]
    return (made, *(path for path in others if os.path.isfile(path))), notes, False


def _find_identity() -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the key chosen for the official command line, and what is wrong with it."""
    chosen: object = os.environ.get("PRIME_SSH_KEY_PATH")
    source = "PRIME_SSH_KEY_PATH"
    if not chosen:
        chosen = read_file(prime_folder(), CONFIG).content.get("ssh_key_path")
        source = f"ssh_key_path in ~/.prime/{CONFIG}"
    if not isinstance(chosen, str) or not chosen:
        return (), ()
    unused = f"The Host blocks name no key: {source} is '{sanitize(chosen)}'"
    try:
        path = expand_path(chosen).absolute()
    except (PodsError, OSError):
        return (), (f"{unused}, which is not a valid path",)
    # ssh takes a public key if the private one is in an agent or on a device.
    private = path.with_suffix("") if path.suffix == ".pub" else path
    files = [file for file in (private, Path(f"{private}.pub")) if os.path.isfile(file)]
    if not files and source != "PRIME_SSH_KEY_PATH" and path.parts[-2:] == (".ssh", "id_rsa"):
        # The default of the official command line; no one chose it.
        return (), ()
    if not files:
        return (), (f"{unused}, which is not an existing file",)
    if _UNQUOTABLE.search(str(files[0])):
        return (), (f"{unused}, and ssh cannot read a path with a quote, a backslash or a variable",)
    return (files[0],), ()


def _quote_path(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'


def knows_host(pod_id: str, node: int = 1) -> bool:
    """Return whether the host key of a pod is known, so that no other machine is taken for it."""
    # OpenSSH writes names in lower case.
    alias = f"{pod_id}-{node}".lower()
    return any(line.partition(" ")[0].lower() == alias for line in _read_lines(_find_files()[1]))


def _forget_host_keys(known_hosts: Path, pod_ids: set[str]) -> None:
    lines = _read_lines(known_hosts) if pod_ids else []
    kept = [line for line in lines if line.partition(" ")[0].rpartition("-")[0] not in pod_ids]
    if kept != lines:
        write_atomically(known_hosts, "\n".join(kept))


def _format_include_line(path: Path) -> str:
    short_path = shorten_path(path)
    return f'Include "{short_path}"' if " " in short_path else f"Include {short_path}"
