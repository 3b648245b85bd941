"""List the cells that are running or have run on your pods, as a DataFrame.

  %pods jobs
  %pods jobs train

All sessions are listed, including cells started from another notebook or computer. '%pods attach JOB' shows
the output of a cell, and '%pods cancel JOB' ends it.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pods

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pods(parser, "*")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the jobs."""
    from primepods_magic.frames import jobs_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.find import find_pods
    from primepods_magic.remote.job_list import list_jobs

    connection = magics.connection
    jobs = list_jobs(connection, find_pods(connection, args.pods) if args.pods else None)
    running = sum(job.state == "running" for job in jobs)
    notes = [f"{running} running"] if jobs else []
    return mark_for_display(
        jobs_frame(jobs), kind="jobs", caption=caption(connection, len(jobs), len(jobs), "job", *notes)
    )
