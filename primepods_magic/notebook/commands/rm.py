"""Terminate pods, verify that they are gone, and show what they cost, as a DataFrame.

  %pods rm train
  %pods rm train eval -y
  mine = %pods ls
  %pods rm {mine.id}
  %pods rm --all

Name a pod by its full name or full id. A list or a column of ids names several pods, and --all names all of
your pods. If some of them are not known to be yours, -y alone does not terminate them.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pods, add_yes

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pods(parser, "*")
    parser.may_name_none = True
    parser.add_argument("--all", action="store_true", help="terminate all your pods")
    add_yes(parser)
    parser.add_argument(
        "--others", action="store_true", help="with -y, also terminate several pods not known to be yours"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Terminate the pods and return the results, or raise if that is not confirmed."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.money import format_estimate, format_usd
    from primepods_magic.api.text.sanitize import join_sanitized, sanitize
    from primepods_magic.frames import removed_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.terminate import GONE, terminate_pods

    connection = magics.connection
    pods = _choose_pods(connection, args)
    others = [pod for pod in pods if not connection.is_mine(pod)]
    if args.yes and others and len(pods) > 1 and not (args.others or connection.is_sandbox):
        names = join_sanitized(f"{pod.name} ({pod.id})" for pod in others)
        raise InvalidRequest(
            f"These pods are not known to be yours: {names}. Nothing was done. Add '--others' to -y to "
            "terminate them too, or run '%pods rm ID -y' for one"
        )
    if pods and not (args.yes or connection.is_sandbox):
        names = ", ".join(
            f"{sanitize(pod.name)} ({pod.total_gpus} × {sanitize(pod.gpu_name)})" for pod in pods
        )
        unknown = f" Not known to be yours: {join_sanitized(pod.id for pod in others)}." if others else ""
        them = "it" if len(pods) == 1 else "them"
        if not confirm(magics.shell, f"Terminate {names} and delete everything on {them}?{unknown}"):
            raise InvalidRequest(
                f"Terminating {names} was not confirmed. Nothing was done. Pass -y to confirm in advance"
            )
    removals = terminate_pods(connection, pods)
    gone = [removal for removal in removals if removal.outcome == GONE]
    billed = [removal.billed_usd for removal in gone if removal.billed_usd is not None]
    unbilled, left = len(gone) - len(billed), len(removals) - len(gone)
    parts = ["nothing to terminate"] if not pods else []
    parts += [f"{format_usd(sum(billed))} billed"] if billed else []
    if unbilled:
        estimates = [removal.estimated_usd for removal in gone if removal.estimated_usd is not None]
        about = f", {format_estimate(sum(estimates))}" if estimates else ""
        parts.append(f"{f'{unbilled} ' if billed or left else ''}not billed yet{about}")
    parts += [f"{f'{left} ' if gone else ''}not known to be gone"] if left else []
    frame = removed_frame(removals)
    return mark_for_display(
        frame, kind="removed", caption=caption(connection, len(frame), len(frame), "pod", *parts)
    )


def _choose_pods(connection: Connection, args: Namespace) -> list[PodDetails]:
    """Return the pods that are named, or all live ones with ``--all``."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.pods.find import find_all, find_pods

    if args.all and (args.pods or args.names_none):
        raise InvalidRequest("Name pods, or use '--all' for all your pods. Nothing was done")
    if args.all:
        return find_all(connection)
    if not args.pods and not args.names_none:
        raise InvalidRequest(
            "Which pod? For example: '%pods rm train', or '%pods rm --all' for all your pods. Nothing was "
            "done"
        )
    return find_pods(connection, args.pods, to_change=True)
