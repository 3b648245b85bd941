"""Everything about one pod: state, price, connections, ports, Jupyter.

  %pods show train
  pod = %pods show 24b59b

'%pods show $pod' takes the Pod that a variable holds, here and wherever POD stands.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods show``."""
    add_pod(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The pod of ``%pods show``."""
    from primepods_magic.notebook.display.pod import present_pod
    from primepods_magic.pods.find import find_pod
    from primepods_magic.pods.pod import Pod

    connection = magics.connection
    return present_pod(Pod(connection, find_pod(connection, args.pod)).refresh())
