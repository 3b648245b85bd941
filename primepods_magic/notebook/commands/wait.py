"""Wait until pods are ready (or active, or terminated), and return them as a DataFrame.

  %pods wait train --timeout 10m
  df = %pods wait train eval --for active
  waiting = %pods wait train --async

--timeout covers all pods and phases together. --async returns at once; 'await waiting' then returns the
DataFrame while other tasks run. Ctrl-C stops the wait, never a pod.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_notify, add_pods, add_timeout

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.watching.snapshot import Snapshot


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pods(parser, "+")
    parser.add_argument(
        "--for",
        dest="goal",
        choices=["ready", "active", "terminated"],
        default="ready",
        help="state to wait for (default ready)",
    )
    parser.add_argument("--async", dest="is_async", action="store_true", help="return an awaitable at once")
    add_timeout(parser)
    add_notify(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the pods, or with ``--async`` an awaitable of them."""
    from primepods_magic.pods.find import find_pods
    from primepods_magic.pods.wait import begin_waiting

    connection = magics.connection
    pods = find_pods(connection, args.pods)
    if not args.is_async:
        seen = magics.live.follow(
            connection, pods, goal=args.goal, timeout_s=args.timeout, notifies=args.notify
        )
        return _mark_frame(connection, seen)
    if args.goal == "ready" and magics.live.can_watch_in_background:
        magics.live.watch(connection, pods, notifies=args.notify)
    return begin_waiting(
        connection,
        pods,
        goal=args.goal,
        timeout_s=args.timeout,
        answer=lambda seen: _mark_frame(connection, seen),
    )


def _mark_frame(connection: Connection, seen: Snapshot) -> pd.DataFrame:
    from primepods_magic.frames import pods_frame
    from primepods_magic.notebook.display.captions import caption, describe_burn
    from primepods_magic.notebook.display.frames import mark_for_display

    number, notes = len(seen.pods), describe_burn(seen.pods, connection.now(), " now")
    return mark_for_display(
        pods_frame(seen.pods), kind="pods", caption=caption(connection, number, number, "pod", *notes)
    )
