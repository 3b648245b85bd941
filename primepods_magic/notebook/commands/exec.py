"""Run a shell command on a pod, and show its output as it arrives.

  %pods exec train -- nvidia-smi -L
  %pods exec train -- nohup python3 train.py --lr 3e-4 > train.log 2>&1 &
  %pods exec train --timeout 600 -o result -- df -h ~ | tail -1

Everything after ' -- ' goes to the pod's shell as is: $name and {expr} are not expanded in it. Quotes around
the whole command, as for ssh, are removed. To pass values from the notebook, use Python: pod.exec(["echo",
value]). A command that fails stops the cell. With -o, the output is stored instead of shown: result.stdout,
result.stderr, result.exit_code.

Ctrl-C interrupts the command; pressing it twice within two seconds stops waiting for it. If the connection is
lost, the command keeps running on the pod.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod, positive, seconds

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)
    parser.add_argument("words", nargs="*", metavar="-- COMMAND", help="the command, after ' -- '")
    parser.add_argument(
        "--node", type=positive, default=1, metavar="N", help="node to run on, if the pod has several"
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="terminate the command after this many seconds"
    )


def run(magics: PodsMagics, args: Namespace, *, command: str | None) -> Any:
    """Show the output, or return the result for ``-o``."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import name_as_word
    from primepods_magic.notebook.shell.program_output import ProgramOutput
    from primepods_magic.pods.find import find_pod
    from primepods_magic.remote.command import check_exit_code, run_command

    if command is None or args.words:
        raise InvalidRequest(
            "Put the command after ' -- ', for example: %pods exec "
            f"{name_as_word(args.pod)} -- {' '.join(args.words) or 'nvidia-smi'}. Nothing was run"
        )
    connection = magics.connection
    pod = find_pod(connection, args.pod)
    show = None if args.out else ProgramOutput()
    result = run_command(
        connection,
        pod,
        command,
        node=args.node,
        timeout_s=args.timeout,
        on_output=show.write if show else None,
    )
    if show:
        show.finish()
    # Store it even if the command failed: that is when people look at it.
    magics.store(result, args.out)
    check_exit_code(pod, result)
    return result if args.out else None
