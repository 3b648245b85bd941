"""Open a launcher below the cell.

Find a machine, see its price, configure and launch it, watch it start and terminate it, by mouse or keyboard.

  %pods launcher

'%pods launcher --cell' writes the form of the launcher into the next cell, as an equivalent %%pod_create
cell.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--cell", action="store_true", help="write its form into the next cell")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return a launcher, or with ``--cell`` nothing."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.launcher import Launcher, latest_cell

    if not args.cell:
        return Launcher(magics.connection)
    cell = latest_cell()
    if cell is None:
        raise InvalidRequest("No launcher is open. Run '%pods launcher' in a notebook that shows widgets")
    if not cell:
        raise InvalidRequest("No offer is selected in the launcher. Select one first")
    magics.shell.set_next_input(cell.rstrip("\n"))
    return None
