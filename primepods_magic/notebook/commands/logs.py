"""The logs of a pod, as text.

  %pods logs train --tail 20
  text = %pods logs train

The value is a text with all its lines.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.arguments import ArgumentParser, add_pod, positive

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods logs``."""
    add_pod(parser)
    parser.add_argument("--tail", type=positive, metavar="N", help="only the last N lines")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The text of ``%pods logs``."""
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.handle import Pod

    connection = magics.connection
    return Pod(connection, find_pod(connection, args.pod)).logs(tail=args.tail)
