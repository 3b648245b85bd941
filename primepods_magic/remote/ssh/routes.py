"""Routes to pods: the words with which the user's own OpenSSH client reaches a node."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from primepods_magic.api.errors import InvalidRequest, SshFailed
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_home, shorten_path
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.ssh.config import write_host_blocks

from .client import SshRoute, make_start_failure

__all__ = ["find_route", "is_fresh"]

_CONNECT_TIMEOUT_S = 10
_ALIVE_INTERVAL_S = 5
_ALIVE_COUNT = 3
_FRESH = timedelta(minutes=15)

# These override the user's own configuration, which is read as well, so jump hosts and devices work.
_OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT_TIMEOUT_S}",
    f"ServerAliveInterval={_ALIVE_INTERVAL_S}",
    f"ServerAliveCountMax={_ALIVE_COUNT}",
    "ControlMaster=no",
    "ControlPath=none",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    # This level logs a successful login and the end of the command.
    "LogLevel=DEBUG1",
)
# Older clients know neither these options nor a configuration that sets them.
_NEWER_OPTIONS = ("StdinNull=no", "SessionType=default", "ForkAfterAuthentication=no")
# Processors have instructions for AES: it takes a third of the time of ChaCha20, the default. What the user's
# own configuration says is read first, and counts.
_NEWER_SETTINGS = "Ciphers ^aes128-gcm@openssh.com,aes256-gcm@openssh.com\n"
_NEWER_VERSION = (8, 7)


def find_route(connection: Connection, pod: PodDetails, *, node: int = 1) -> SshRoute:
    """Return the route to a node of a pod; write its ``Host`` blocks if they are missing.

    Raises InvalidRequest if the pod or the node is not up, SshFailed if there is no ssh client.
    """
    _refuse_simulated_pod(connection, pod)
    blocks = write_host_blocks(connection, pod, only_if_changed=True)
    up = [number for number, target in enumerate(pod.connections, start=1) if target]
    if node not in up:
        raise InvalidRequest(
            f"Node {node} of '{sanitize(pod.name)}' is not up. Nodes that are: {', '.join(map(str, up))}"
        )
    ssh = shutil.which("ssh")
    if ssh is None:
        raise SshFailed(
            "There is no ssh client on this computer. Nothing was run. Install OpenSSH, for example with "
            "'apt install openssh-client'",
            reason="setup",
        )
    is_newer = _is_newer(ssh)
    options = (*_OPTIONS, *_NEWER_OPTIONS) if is_newer else _OPTIONS
    config = _write_client_config(blocks.path, _NEWER_SETTINGS if is_newer else "")
    host = blocks.hosts[up.index(node)]
    words = (ssh, "-T", "-F", str(config), *(word for each in options for word in ("-o", each)), host)
    return SshRoute(words, sanitize(pod.name), pod.cli_name, pod.connections[node - 1])


def is_fresh(connection: Connection, pod: PodDetails) -> bool:
    """Return whether a pod is so new that its SSH server may not accept logins yet."""
    return pod.created_at is None or connection.now() - pod.created_at < _FRESH


@lru_cache
def _is_newer(ssh: str) -> bool:
    """Return whether this client supports everything that we use."""
    try:
        done = subprocess.run([ssh, "-V"], check=False, capture_output=True, text=True)  # noqa: S603 - fixed words
    except OSError as error:
        raise make_start_failure("ssh does not run", error) from None
    version = re.search(r"OpenSSH\w*_(\d+)\.(\d+)", done.stderr)
    return version is not None and (int(version[1]), int(version[2])) >= _NEWER_VERSION


def _refuse_simulated_pod(connection: Connection, pod: PodDetails) -> None:
    """Refuse a sandbox's pod that is not a machine: its address is not on this computer."""
    targets = [target for target in pod.connections if target]
    if connection.is_sandbox and any(target.host != "127.0.0.1" for target in targets):
        raise InvalidRequest(
            f"'{sanitize(pod.name)}' is simulated, and nothing can run on it. To get pods that you can log "
            "in to, restart the kernel after: pip install 'primepods_magic[machines]'"
        )


def _write_client_config(blocks: Path, settings: str) -> Path:
    """Write the configuration of our own connections: our blocks, the user's, the system's, then settings."""
    path = blocks.with_name("ssh_client")
    home = find_home()
    files = [blocks, *([home / ".ssh" / "config"] if home else []), Path("/etc/ssh/ssh_config")]
    text = "".join(f'Include "{str(file).replace("%", "%%")}"\n' for file in files)
    text += settings
    with contextlib.suppress(OSError):
        if read_plain_file(path).decode("utf-8", "replace") == text:
            return path
    try:
        write_atomically(path, text)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot write {shorten_path(path)} ({describe_error(error)}). Nothing was run on the pod"
        ) from None
    return path
