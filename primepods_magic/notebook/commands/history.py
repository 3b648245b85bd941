"""What was rented and what it cost, as a DataFrame: all of it, or what overlaps a range.

  df = %pods history
  %pods history --since 7d
  %pods history --since 2026-08 --until 2026-09 --save august.csv
  %pods history --sort-by createdAt --sort-order asc --limit 20

'billed_usd' is the service's total for the pod, 'price_usd_hr' what that is an hour on average. Rows are kept
on this computer from two days after their end on, since they change no more ('%pods cache'); --refresh reads
everything anew.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_usd
from primepods_magic.notebook.input.arguments import ArgumentParser, add_range, add_save, add_slice

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods history``."""
    add_range(parser)
    parser.add_argument(
        "--sort-by", choices=["terminatedAt", "createdAt"], default="terminatedAt", help="the time to sort by"
    )
    parser.add_argument(
        "--sort-order", choices=["asc", "desc"], default="desc", help="oldest or newest first"
    )
    add_slice(parser)
    parser.add_argument("--refresh", action="store_true", help="read everything anew")
    add_save(parser, "the rows as .csv or .parquet")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods history``."""
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display

    connection = magics.connection
    is_part = args.limit is not None and {args.since, args.until} == {None} and not args.refresh
    frame, total = _page(connection, args) if is_part else _all(magics, connection, args)
    billed = f"{format_usd(frame['billed_usd'].sum())} billed"
    said = [caption(connection, len(frame), total, "row", billed)]
    if args.save is not None:
        from primepods_magic.frames import save_frame

        save_frame(frame, args.save)
        said.append(f"saved as {args.save}")
    return mark_for_display(frame, kind="history", caption=" · ".join(said))


def _page(connection: Connection, args: Namespace) -> tuple[pd.DataFrame, int]:
    """A few rows, which the service sorts."""
    from primepods_magic.frames import history_frame
    from primepods_magic.pods.listing import list_history

    rows, total = list_history(
        connection,
        sort_by=args.sort_by,
        sort_order=args.sort_order,
        limit=args.limit,
        offset=args.offset,
    )
    return history_frame(rows, connection.now()), total


def _all(magics: PodsMagics, connection: Connection, args: Namespace) -> tuple[pd.DataFrame, int]:
    """All rows of a range."""
    from datetime import datetime, timezone

    from primepods_magic.frames import history_frame, overlapping
    from primepods_magic.notebook.input.dates import parse_time
    from primepods_magic.notebook.progress.download_bar import show_download
    from primepods_magic.pods.history import read_history

    def limits(now: datetime) -> list[datetime | None]:
        return [parse_time(text, now, timezone.utc) if text else None for text in (args.since, args.until)]

    # Refused before anything is read, and reckoned by the service's time, which may not be known before.
    limits(connection.now())
    with show_download(magics.shell, "history") as progress:
        history = read_history(connection, refresh=args.refresh, progress=progress)
    frame = overlapping(history_frame(history.table, history.now), *limits(history.now))
    column = {"terminatedAt": "terminated_at", "createdAt": "created_at"}[args.sort_by]
    # What is still open ends last, and rows of one instant are in the service's order.
    frame = frame.sort_values(column, kind="stable", na_position="last", ignore_index=True)
    if args.sort_order == "desc":
        frame = frame.iloc[::-1]
    stop = None if args.limit is None else args.offset + args.limit
    return frame.iloc[args.offset : stop].reset_index(drop=True), len(frame)
