"""Find a machine, see what it costs, configure and launch it, watch it come up, and end it, by mouse or
keyboard: a launcher under the cell.

  %pods launcher

'%pods launcher --cell' puts what its form says into the next cell, as a %%pod_create cell that does the same.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods launcher``."""
    parser.add_argument("--cell", action="store_true", help="put its form into the next cell")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The launcher of ``%pods launcher``; with ``--cell``, nothing."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.launcher import Launcher, latest_cell

    if not args.cell:
        return Launcher(magics.connection)
    cell = latest_cell()
    if cell is None:
        raise InvalidRequest(
            "no launcher is open; '%pods launcher' opens one, in a notebook that shows widgets"
        )
    if not cell:
        raise InvalidRequest("no offer is chosen in the launcher; choose one, and its form can be a cell")
    magics.shell.set_next_input(cell.rstrip("\n"))
    return None
