"""End a job on a pod: interrupt it, and end its kernel if it is still running 5 s later.

  %pods cancel k3f9xq

'%pods jobs' lists the ids. If its kernel has to be ended, the variables of its session are lost.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

_END_S = 15.0


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("job", metavar="JOB", help="id of the job")


def run(magics: PodsMagics, args: Namespace) -> None:
    """Say how it ended."""
    from primepods_magic.api.errors import RemoteError
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.remote.job_list import find_job

    job, _ = find_job(magics.connection, args.job)
    was_running = job.cancel()
    billed = "The pod keeps running and is billed."
    if not was_running:
        say(f"Job {job.id} on '{job.pod_name}' had already ended. {billed}")
        return
    how = "had ended by itself"
    try:
        job.result(_END_S)
    except RemoteError as error:
        lost = error.ename == "Cancelled" and was_running == "running"
        how = "was ended with its kernel; the variables of its session are lost" if lost else "was cancelled"
    say(f"Job {job.id} on '{job.pod_name}' {how}. {billed}")
