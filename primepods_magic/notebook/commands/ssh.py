"""How to get into a pod: the command for each node.

  %pods ssh train
  %pods ssh train --config

With --config, Host blocks are written into a file of ours that ~/.ssh/config can include, so that ssh, scp,
rsync and VS Code Remote know the pod as pod-NAME. A pod's host key is remembered by the pod, not by its
address, so an address that another pod had before does not stand in the way.
"""

from __future__ import annotations

from argparse import Namespace
from shlex import quote
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.ssh.config import SshConfig


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods ssh``."""
    add_pod(parser)
    parser.add_argument(
        "--config", action="store_true", help="write Host blocks for ssh, scp, rsync, VS Code"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The text of ``%pods ssh``."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.pod import LogText
    from primepods_magic.pods.ssh.config import ssh_commands, write_ssh_config

    connection = magics.connection
    pod = find_pod(connection, args.pod)
    if args.config:
        return LogText(_explained(write_ssh_config(connection, pod)))
    commands = enumerate(ssh_commands(pod), start=1)
    return LogText(
        "\n".join(sanitize(command) or f"# node {number} is not up yet" for number, command in commands)
    )


def _explained(config: SshConfig) -> str:
    from primepods_magic.api.local.folders import shorten_path

    host, place = config.hosts[0], shorten_path(config.path)
    lines = [f"{', '.join(config.hosts)} {'is' if len(config.hosts) == 1 else 'are'} in {place}"]
    if config.include:
        lines.append(f"{config.obstacle}; put this line at its top: {config.include}")
    lines += config.notes
    lines += [
        f"  ssh {host}",
        f"  scp file {host}:",
        f"  rsync -a folder/ {host}:folder/",
        f"  VS Code: Remote-SSH: Connect to Host… {host}",
    ]
    if config.include:
        lines.append(f"  until then: ssh -F {_quote_path(place)} {host}")
    return "\n".join(lines)


def _quote_path(place: str) -> str:
    """Return a path as a shell takes it, with a ``~`` that it expands."""
    return f"~/{quote(place[2:])}" if place.startswith("~/") else quote(place)
