"""Show the state of pods as a DataFrame, with one request for up to a hundred.

  %pods status
  %pods status train eval

Without a POD, all your pods are shown.
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
    """Return the states."""
    from primepods_magic.frames import status_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.find import find_pods
    from primepods_magic.pods.listing import list_pod_details, pod_status

    connection = magics.connection
    pods = find_pods(connection, args.pods) if args.pods else list_pod_details(connection)
    names = {pod.id: pod.name or "" for pod in pods if pod.id}
    frame = status_frame(pod_status(connection, pods), names)
    return mark_for_display(frame, kind="status", caption=caption(connection, len(frame), len(frame), "pod"))
