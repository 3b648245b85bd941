"""Keep a guarded pod longer, whatever its deadline or idleness.

  %pods hold train 2h

Until then, neither the deadline nor idleness ends the pod. A sum still does. Rules that are due by then end
it afterwards.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)
    parser.add_argument("lasts", metavar="T", help="how long from now, such as 2h")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the guard of the pod."""
    from primepods_magic.frames import guards_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.guards.times import describe_end
    from primepods_magic.pods.pod import Pod

    connection = magics.connection
    record = Pod(connection, find_pod(connection, args.pod, to_change=True)).hold(args.lasts)
    notes = [f"kept until {describe_end(record.held_until)}"] if record.held_until else []
    return mark_for_display(
        guards_frame([record]), kind="guards", caption=caption(connection, 1, 1, "guard", *notes)
    )
