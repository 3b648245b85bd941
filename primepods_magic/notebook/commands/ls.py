"""List your pods, oldest first, as a DataFrame.

  %pods ls
  %pods ls --status ACTIVE --sort price_usd_hr
  df = %pods ls --all

Without --team or --all, only your own pods are listed. If the service does not say which pods are yours,
all that may be yours are listed, and the line above them says so.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_slice, add_whose

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        metavar="S",
        help="list only pods in this state; may be repeated",
    )
    parser.add_argument("--sort", metavar="COL", help="sort by this column")
    add_slice(parser)
    add_whose(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the pods."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.validation.suggest import suggest
    from primepods_magic.frames import pods_frame
    from primepods_magic.notebook.display.captions import OWNERS_UNKNOWN, caption, describe_burn
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.account.teams import find_team
    from primepods_magic.pods.listing import list_pod_details

    connection = magics.connection
    team_id = find_team(connection, args.team).team_id if args.team else None
    pods = list_pod_details(connection, everyone=args.all, team_id=team_id, statuses=args.status)
    frame = pods_frame(pods)
    if args.sort:
        if args.sort not in frame.columns:
            hint = suggest(args.sort, frame.columns)
            raise InvalidRequest(f"There is no column '{args.sort}'{hint}")
        frame = frame.sort_values(args.sort, kind="stable", ignore_index=True)
    stop = None if args.limit is None else args.offset + args.limit
    shown = frame.iloc[args.offset : stop].reset_index(drop=True)
    parts = describe_burn(pods, connection.now(), " now")
    unknown = 0 if args.all or args.team else sum(not connection.is_mine(pod) for pod in pods)
    if unknown:
        parts.append(OWNERS_UNKNOWN if unknown == len(pods) else f"{unknown} of them {OWNERS_UNKNOWN}")
    return mark_for_display(
        shown, kind="pods", caption=caption(connection, len(shown), len(frame), "pod", *parts)
    )
