"""Run the cell on a pod, in an IPython kernel there that keeps its variables.

  %%pod train
  !nvidia-smi -L
  x = 6 * 7

Output, displays, widgets and input prompts appear as in a local cell, and an exception stops the notebook.
Without POD, the cell runs on the pod of the previous %%pod cell. If the pod is not ready yet, the cell waits
for it.

A line below the output shows what the cell cost, estimated from the pod's price, and how long the pod had
been idle before. '%pods cells' lists both for every cell; '%config PodsMagics.cell_costs = False' hides the
lines.

  %%pod train --in frame,fit --out losses,model
  model, losses = fit(frame)

'--in' sends variables of this notebook before the cell runs, and '--out' fetches variables after it has run.
They keep their value and dtype; functions and classes are sent as source, with what they need. A value that
cannot be sent, such as a model, stays on the pod, and model.fetch(".state_dict()") fetches a part of it.

  %%pod train --sync
  !python train.py

'--sync' first sends what has changed in the notebook's folder to a folder of the same name on the pod, except
what .gitignore and .podignore name. The cell runs in that folder, so that relative paths and imports work,
and modules of the project that have changed are loaded again. It asks before it sends more than 100 MB or
possible secrets such as .env, and if the folder there has the files of another one of that name.

The first Ctrl-C interrupts the cell. A second one within two seconds leaves it running: '%pods attach JOB'
shows it again. It also keeps running if the connection is lost, the local kernel restarts, or you close your
laptop.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, seconds

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.remote.job import Job


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("pod", metavar="POD", nargs="?", help="name, id, or beginning of an id")
    parser.add_argument(
        "--in",
        dest="sent",
        type=names,
        default=(),
        metavar="A,B",
        help="send variables of the notebook first",
    )
    parser.add_argument(
        "--out",
        dest="fetched",
        type=names,
        default=(),
        metavar="X,Y",
        help="fetch variables after the cell has run",
    )
    parser.add_argument(
        "--sync", action="store_true", help="send the notebook's folder first, and run the cell in it"
    )
    parser.add_argument(
        "--session", default="main", metavar="S", help="separate kernel with its own variables"
    )
    parser.add_argument("--bg", action="store_true", help="return a job at once; its output appears here")
    parser.add_argument("--again", action="store_true", help="run it even if the same cell is running")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="also transfer possible secrets, and more than 100 MB"
    )
    parser.add_argument("--quiet", action="store_true", help="hide the lines about cost and new files")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=1200.0,
        metavar="T",
        help="maximum wait for a pod that is not ready: 90s, 10m (default 20m)",
    )


def names(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    from primepods_magic.notebook.cells.values import read_names

    return read_names(text)


def run(magics: PodsMagics, args: Namespace, *, cell: str | None) -> Any:
    """Show the cell's output, or return its job for ``--bg``."""
    jobs: list[Job] = []
    try:
        return _run_cell(magics, args, cell, jobs)
    except KeyboardInterrupt:
        raise _describe_interrupted(jobs) from None


def _run_cell(magics: PodsMagics, args: Namespace, cell: str | None, jobs: list[Job]) -> Any:
    """Run the cell; note its job once there is one."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.cells.background import show_in_background
    from primepods_magic.notebook.cells.costs import cost_recorder
    from primepods_magic.notebook.cells.project import send_project
    from primepods_magic.notebook.cells.run_cell import CellView, LinkNotes, say_running
    from primepods_magic.notebook.cells.values import CellValues
    from primepods_magic.notebook.shell.kernel import has_front_end, run_of
    from primepods_magic.remote.job import start_job
    from primepods_magic.remote.limits.names import check_session
    from primepods_magic.remote.links import open_link

    if cell is None or not cell.strip():
        raise InvalidRequest(
            "Put the code below '%%pod NAME', in the same cell. '%pods' lists and manages pods. Nothing "
            "was run"
        )
    if args.bg and args.fetched:
        names = ", ".join(map(repr, args.fetched))
        raise InvalidRequest(
            "'--out' needs the end of the cell, which '--bg' does not wait for. Fetch them later: "
            f"job.result(); get_pod(job.pod_name).pull({names}). Nothing was run"
        )
    check_session(args.session)
    values = CellValues(magics.shell, args.sent, args.fetched, is_confirmed=args.yes)
    connection = magics.connection
    pod = _find_ready_pod(magics, args)
    link = open_link(connection, pod)
    if args.sync:
        values.before.append(send_project(magics.shell, link, is_confirmed=args.yes))
    values.send(link, args.session)
    job, is_running = start_job(
        connection,
        pod,
        _number_lines(cell),
        session=args.session,
        allow_stdin=has_front_end(magics.shell) and not args.bg,
        again=args.again,
        msg_id=run_of(magics.shell),
        on_wait=LinkNotes("As far as is known, the cell was not run yet").check,
        before=values.before,
        after=values.after,
    )
    if is_running:
        values.forget(job.link)
        say_running(job)
        return None
    jobs.append(job)
    values.await_sent(job)
    note_end = cost_recorder(
        magics.shell, connection, pod, job, is_shown=magics.cell_costs and not args.quiet
    )
    if args.bg:
        show_in_background(magics.shell, job, note_end, names_files=not args.quiet)
        return job
    with values.explained():
        CellView(magics.shell, job, note_end, names_files=not args.quiet).follow()
    values.store(job)
    return None


def _describe_interrupted(jobs: list[Job]) -> Exception:
    """Interrupt the job, if there is one, and say so."""
    from primepods_magic.api.errors import WaitInterrupted

    for job in jobs:
        job.link.request("interrupt", job=job.id)
        return WaitInterrupted(
            f"Interrupted while the output of job {job.id} was not shown. The cell had been sent to "
            f"'{job.pod_name}', and is interrupted there; '%pods attach {job.id}' shows its output. The pod "
            "keeps running and is billed"
        )
    return WaitInterrupted("Interrupted before the cell was sent. Nothing was run")


def _find_ready_pod(magics: PodsMagics, args: Namespace) -> PodDetails:
    """Return the pod, once it is ready."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.find import find_pod
    from primepods_magic.remote.links import find_last_pod_id, note_last_pod

    name = args.pod or find_last_pod_id(magics.connection)
    if name is None:
        raise InvalidRequest("Name the pod to run this cell on: %%pod NAME. Nothing was run")
    pod = find_pod(magics.connection, name)
    if args.pod is None:
        say(f"Running on '{sanitize(pod.name)}', like the previous cell.")
    note_last_pod(magics.connection, pod)
    if not pod.is_ready:
        magics.live.follow(magics.connection, [pod], goal="ready", timeout_s=args.timeout, notifies=False)
        pod = find_pod(magics.connection, pod.id or name)
    return pod


def _number_lines(cell: str) -> str:
    """Return the cell with a first line in place of ``%%pod``, so that tracebacks count its lines."""
    return cell if cell.lstrip().startswith("%%") else f"# %%pod\n{cell}"
