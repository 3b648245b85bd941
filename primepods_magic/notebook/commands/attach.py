"""Show everything that a job on a pod has printed so far, then its new output as it arrives.

  %pods attach k3f9xq

'%pods jobs' lists the ids. Ctrl-C stops showing the job, but it keeps running; '%pods cancel JOB' ends it.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("job", metavar="JOB", help="id of the job")


def run(magics: PodsMagics, args: Namespace) -> None:
    """Show the job until it ends."""
    from primepods_magic.notebook.cells.costs import cost_recorder
    from primepods_magic.notebook.cells.run_cell import CellView
    from primepods_magic.remote.job_list import find_job

    connection = magics.connection
    job, pod = find_job(connection, args.job)
    note_end = cost_recorder(magics.shell, connection, pod, job, is_shown=magics.cell_costs, is_attached=True)
    CellView(magics.shell, job, note_end, only_watches=True).follow()
