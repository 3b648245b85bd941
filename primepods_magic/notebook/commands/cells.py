"""List the cells that this computer ran on pods, and what they cost, as a DataFrame, newest last.

  %pods cells
  df = %pods cells train --since 7d

Costs are estimates based on the pod's price when the cell ran. 'idle' is how long the pod had been idle
before the cell, and 'idle_usd' is what that cost. Cells of pods that have ended are included, at most 10,000
cells in all. Of the code, only the first line is stored on this computer, without its strings.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.remote.cells import CellRecord


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("pod", metavar="POD", nargs="?", help="name, id, or beginning of an id")
    parser.add_argument(
        "--since",
        metavar="T",
        help="only what started at or after T: 2026-09-01, 2026-09, 7d, today, month …",
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the cells."""
    from datetime import timezone

    from primepods_magic.api.text.money import format_about
    from primepods_magic.frames import cells_frame
    from primepods_magic.notebook.cells.costs import format_seconds
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.input.dates import parse_time
    from primepods_magic.remote.cells import read_cells

    connection = magics.connection
    since = parse_time(args.since, connection.now(), timezone.utc) if args.since else None
    cells = read_cells(connection)
    if args.pod is not None:
        cells = _pick_cells(connection, cells, args.pod)
    cells = [cell for cell in cells if since is None or cell.started_at >= since]
    notes = []
    if cells:
        notes.append(format_seconds(sum(cell.seconds for cell in cells)))
        known = [cell.estimated_usd for cell in cells if cell.estimated_usd is not None]
        idle = [cell.idle_usd for cell in cells if cell.idle_usd is not None]
        notes += [format_about(sum(known))] if known else []
        notes += [f"idle {format_about(sum(idle))}"] if sum(idle) else []
    return mark_for_display(
        cells_frame(cells), kind="cells", caption=caption(connection, len(cells), len(cells), "cell", *notes)
    )


def _pick_cells(connection: Connection, cells: list[CellRecord], text: str) -> list[CellRecord]:
    """Return the cells of a pod, which may have ended, or of every pod that had this name."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.find import find_pod

    chosen = [cell for cell in cells if cell.pod_id == text] or [
        cell for cell in cells if cell.pod == sanitize(text)
    ]
    if not chosen and len(text) >= 3:
        chosen = [cell for cell in cells if cell.pod_id.startswith(text)]
    if not chosen:
        # No cell has run on it, if there is such a pod.
        find_pod(connection, text)
    return chosen
