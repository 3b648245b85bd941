"""Wait until pods are ready (or active, or terminated), and answer with them as a DataFrame.

  %pods wait train --timeout 10m
  df = %pods wait train eval --for active

Ctrl-C ends the waiting, never a pod.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.arguments import ArgumentParser, add_pods, add_timeout

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods wait``."""
    add_pods(parser, "+")
    parser.add_argument(
        "--for", dest="goal", choices=["ready", "active", "terminated"], default="ready", help="until when"
    )
    add_timeout(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods wait``."""
    from primepods_magic.frames import pods_frame
    from primepods_magic.notebook.captions import caption
    from primepods_magic.notebook.display import present
    from primepods_magic.pods.burn import burn_usd_hr
    from primepods_magic.pods.find import find_pods

    connection = magics.connection
    pods = find_pods(connection, args.pods)
    seen = magics.live.follow(connection, pods, goal=args.goal, timeout_s=args.timeout).pods
    burn = f"${burn_usd_hr(seen):.2f}/h now"
    return present(
        pods_frame(seen), kind="pods", caption=caption(connection, len(seen), len(seen), "pod", burn)
    )
