"""What has ended, and what it cost, as a DataFrame.

  df = %pods history
  %pods history --sort-by createdAt --sort-order asc --limit 20

'billed_usd' is the service's total for the pod, 'price_usd_hr' what that is an hour on average.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.arguments import ArgumentParser, add_slice

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods history``."""
    parser.add_argument(
        "--sort-by", choices=["terminatedAt", "createdAt"], default="terminatedAt", help="the time to sort by"
    )
    parser.add_argument(
        "--sort-order", choices=["asc", "desc"], default="desc", help="oldest or newest first"
    )
    add_slice(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods history``."""
    from primepods_magic.frames import history_frame
    from primepods_magic.notebook.captions import caption
    from primepods_magic.notebook.display import present
    from primepods_magic.pods.listing import list_history

    connection = magics.connection
    rows, total = list_history(
        connection,
        sort_by=args.sort_by,
        sort_order=args.sort_order,
        limit=args.limit,
        offset=args.offset,
    )
    frame = history_frame(rows, connection.now())
    billed = f"${sum(row.total_billed_price or 0 for row in rows):,.2f} billed"
    return present(frame, kind="history", caption=caption(connection, len(frame), total, "row", billed))
