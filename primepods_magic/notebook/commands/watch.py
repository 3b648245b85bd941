"""Show live progress bars of pods.

In a notebook, the bars keep moving while you work, until their pods are gone or you stop them. Without a
POD, they show all your pods, including new ones. Elsewhere, the command waits until every pod is ready or
--timeout has passed.

  %pods watch
  %pods watch train eval
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import (
    ArgumentParser,
    add_notify,
    add_pods,
    add_timeout,
    add_whose,
)

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pods(parser, "*")
    add_whose(parser)
    add_timeout(parser)
    add_notify(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Show the bars; return nothing."""
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.account.teams import find_team
    from primepods_magic.pods.find import find_pods
    from primepods_magic.pods.listing import belonging, list_pod_details

    connection = magics.connection
    team_id = find_team(connection, args.team).team_id if args.team else None
    joins = None
    if args.pods:
        pods = find_pods(connection, args.pods)
    else:
        pods = list_pod_details(connection, everyone=args.all, team_id=team_id)
        joins = belonging(connection, everyone=args.all, team_id=team_id)
    if not pods:
        say("You have no pods to watch")
    elif magics.live.can_watch_in_background:
        magics.live.watch(connection, pods, joins=joins, can_be_stopped=True, notifies=args.notify)
    else:
        magics.live.follow(connection, pods, goal="ready", timeout_s=args.timeout, notifies=args.notify)
