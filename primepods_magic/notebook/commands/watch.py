"""Live progress bars of pods. In a notebook they go on moving while you do other things; elsewhere this
waits until every pod is ready, or for --timeout.

  %pods watch
  %pods watch train eval
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.arguments import ArgumentParser, add_pods, add_timeout

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods watch``."""
    add_pods(parser, "*")
    add_timeout(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Show the bars of ``%pods watch``; it answers with nothing."""
    from primepods_magic.pods.find import find_pods
    from primepods_magic.pods.listing import list_pods

    connection = magics.connection
    pods = find_pods(connection, args.pods) if args.pods else list_pods(connection)
    if not pods:
        print("you have no pods to watch")
    elif magics.live.can_watch_behind:
        magics.live.watch(connection, pods)
    else:
        magics.live.follow(connection, pods, goal="ready", timeout_s=args.timeout)
