"""Show everything about one pod: state, price, connections, ports, Jupyter.

  %pods show train
  pod = %pods show 24b59b

Like every command that takes a POD, it also takes a Pod in a variable: '%pods show $pod'.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the pod, to be shown in full."""
    from primepods_magic.notebook.display.pod import present_pod
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.pod import Pod

    connection = magics.connection
    return present_pod(Pod(connection, find_pod(connection, args.pod)).refresh())
