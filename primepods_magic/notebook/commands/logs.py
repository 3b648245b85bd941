"""Show the logs of a pod, as text.

  %pods logs train --tail 20
  text = %pods logs train
  %pods logs train --follow

The result is the text of all lines. If the service sends only the last hundred, ask for more with --tail.
--follow shows lines as they appear, until the pod is ready, has failed or is gone. Ctrl-C stops
following, never the pod.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod, add_timeout, positive

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)
    parser.add_argument("--tail", type=positive, metavar="N", help="start with the last N lines")
    parser.add_argument("--follow", action="store_true", help="show lines as they appear")
    add_timeout(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the logs; logs that were followed have been shown, and are returned only for ``-o``."""
    from primepods_magic.notebook.shell.output import say_result
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.logs import follow_logs
    from primepods_magic.pods.pod import LogText, Pod

    connection = magics.connection
    pod = find_pod(connection, args.pod)
    if not args.follow:
        return Pod(connection, pod).logs(tail=args.tail)
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        say_result(line)

    follow_logs(connection, pod, show, tail=args.tail, timeout_s=args.timeout)
    return LogText("\n".join(lines)) if args.out else None
