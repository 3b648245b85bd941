"""List the pods you rented and what they cost, as a DataFrame: all of them, or those that overlap a range.

  df = %pods history
  %pods history --since 7d
  %pods history --since 2026-08 --until 2026-09 --save august.csv
  %pods history --sort-by createdAt --sort-order asc --limit 20

'billed_usd' is the service's total for the pod, 'price_usd_hr' its hourly average. Until a pod is billed,
'estimated_usd' is its price times its duration, which the table marks with ≈. Two days after a pod ends, its
row no longer changes and is stored on this computer ('%pods cache'). --refresh reads everything again.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_estimate, format_usd
from primepods_magic.notebook.input.arguments import ArgumentParser, add_range, add_save, add_slice

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_range(parser)
    parser.add_argument(
        "--sort-by", choices=["terminatedAt", "createdAt"], default="terminatedAt", help="time to sort by"
    )
    parser.add_argument(
        "--sort-order", choices=["asc", "desc"], default="desc", help="oldest or newest first"
    )
    add_slice(parser)
    parser.add_argument("--refresh", action="store_true", help="read everything again")
    add_save(parser, "the rows as .csv, .parquet or .xlsx")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the history, after saving it if asked to."""
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display

    connection = magics.connection
    is_part = args.limit is not None and {args.since, args.until} == {None} and not args.refresh
    frame, total = _read_page(connection, args) if is_part else _read_range(magics, connection, args)
    sums = [f"{format_usd(frame['billed_usd'].sum())} billed"]
    if frame["estimated_usd"].notna().any():
        sums.append(f"{format_estimate(frame['estimated_usd'].sum())} not billed yet, estimated")
    parts = [caption(connection, len(frame), total, "row", *sums)]
    if args.save is not None:
        from primepods_magic.frames import save_frame

        save_frame(frame, args.save)
        parts.append(f"saved as {args.save}")
    return mark_for_display(frame, kind="history", caption=" · ".join(parts))


def _read_page(connection: Connection, args: Namespace) -> tuple[pd.DataFrame, int]:
    """Read a few rows, sorted by the service; return them with the total number."""
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


def _read_range(magics: PodsMagics, connection: Connection, args: Namespace) -> tuple[pd.DataFrame, int]:
    """Read all rows of a range; return the wanted part with their number."""
    from datetime import datetime, timezone

    from primepods_magic.frames import history_frame, overlapping
    from primepods_magic.notebook.input.dates import parse_time
    from primepods_magic.notebook.progress.download_bar import show_download
    from primepods_magic.pods.history import read_history

    def limits(now: datetime) -> list[datetime | None]:
        return [parse_time(text, now, timezone.utc) if text else None for text in (args.since, args.until)]

    # Check the times before anything is read. The service's own time may only be known afterwards.
    limits(connection.now())
    with show_download(magics.shell, "history") as progress:
        history = read_history(connection, refresh=args.refresh, progress=progress)
    frame = overlapping(history_frame(history.table, history.now), *limits(history.now))
    column = {"terminatedAt": "terminated_at", "createdAt": "created_at"}[args.sort_by]
    # Rows without an end come last; rows of the same instant keep the service's order.
    frame = frame.sort_values(column, kind="stable", na_position="last", ignore_index=True)
    if args.sort_order == "desc":
        frame = frame.iloc[::-1]
    stop = None if args.limit is None else args.offset + args.limit
    return frame.iloc[args.offset : stop].reset_index(drop=True), len(frame)
