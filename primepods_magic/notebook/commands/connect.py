"""Where requests go: the live service, or a sandbox on this computer whose pods are pretended.

  %pods connect
  %pods connect --sandbox
  %pods connect --live

Without a key, and with somebody at the keyboard, the sandbox is used.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.notebook.arguments import ArgumentParser
from primepods_magic.pods.connection import connect

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods connect``."""
    parser.add_argument("--sandbox", action="store_true", help="the sandbox, whatever keys there are")
    parser.add_argument("--live", action="store_true", help="the live service")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The connection of ``%pods connect``."""
    if args.sandbox and args.live:
        raise InvalidRequest("%pods connect: --sandbox and --live are two places; name one")
    if args.sandbox or args.live:
        return connect(sandbox=args.sandbox, live=args.live)
    return magics.connection
