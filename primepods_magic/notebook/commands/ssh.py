"""Show how to connect to a pod: the ssh command for each node.

  %pods ssh train
  %pods ssh train --config

With --config, Host blocks are written to a separate file that ~/.ssh/config can include, so that ssh,
scp, rsync and VS Code Remote know the pod as pod-NAME. Host keys are stored by pod, not by address, so an
address that another pod had before causes no error. A sandbox whose pods you can log in to has its own key
for that; its ssh command names the file with the blocks.

A multi-node pod has one command for each node; --node 2 shows only that of node 2. Its Host blocks are called
pod-NAME, pod-NAME-2 and so on. Cells, files and kernels of the pod use node 1; '%pods exec --node 2' runs a
command on another one.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from shlex import quote
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod, positive

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.ssh.config import SshConfig


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--node", type=positive, metavar="N", help="only the command for this node")
    what.add_argument(
        "--config", action="store_true", help="write Host blocks for ssh, scp, rsync and VS Code"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the commands as text."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.pod import LogText
    from primepods_magic.pods.ssh.config import ssh_commands, write_ssh_config

    connection = magics.connection
    pod = find_pod(connection, args.pod)
    if args.config:
        return LogText(_describe_config(write_ssh_config(connection, pod)))
    commands: Iterable[str | None] = ssh_commands(pod)
    if connection.has_machines:
        # Its key and its host key are in our file alone.
        config = write_ssh_config(connection, pod)
        hosts = iter(config.hosts)
        commands = [command and f"{_start_command(config)} {next(hosts)}" for command in commands]
    lines = [
        sanitize(command) or f"# node {number} is not up yet"
        for number, command in enumerate(commands, start=1)
    ]
    if args.node is not None:
        if args.node > len(lines):
            raise InvalidRequest(
                f"There is no node {args.node}: the last of '{sanitize(pod.name)}' is {len(lines)}"
            )
        lines = [lines[args.node - 1]]
    return LogText("\n".join(lines))


def _start_command(config: SshConfig) -> str:
    from primepods_magic.api.local.folders import shorten_path

    return f"ssh -F {_quote_path(shorten_path(config.path))}"


def _describe_config(config: SshConfig) -> str:
    from primepods_magic.api.local.folders import shorten_path

    host, path = config.hosts[0], shorten_path(config.path)
    lines = [f"{', '.join(config.hosts)} {'is' if len(config.hosts) == 1 else 'are'} in {path}"]
    if config.include:
        lines.append(f"{config.obstacle}. Put this line at its top: {config.include}")
    lines += config.notes
    lines += [
        f"  ssh {host}",
        f"  scp file {host}:",
        f"  rsync -a folder/ {host}:folder/",
        f"  VS Code: Remote-SSH: Connect to Host… {host}",
    ]
    if config.include:
        lines.append(f"  until then: {_start_command(config)} {host}")
    return "\n".join(lines)


def _quote_path(path: str) -> str:
    """Quote a path for a shell, with a ``~`` that it expands."""
    return f"~/{quote(path[2:])}" if path.startswith("~/") else quote(path)
