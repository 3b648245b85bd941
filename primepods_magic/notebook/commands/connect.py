"""Where requests go: the live service, or a sandbox on this computer whose pods are simulated. Without a
flag, this shows what is in use, and where key, URL and team are from.

  %pods connect
  %pods connect --sandbox
  %pods connect --live
  %pods connect --context work

A choice stays until the next one. Without any, the variables PRIME_… and the files of 'prime' are followed,
also where they change; and without a key, the sandbox is used where somebody is at the keyboard. --context
names a context that 'prime config save' has saved; the variables beat what it says.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods connect``."""
    parser.add_argument("--sandbox", action="store_true", help="the sandbox, whatever keys there are")
    parser.add_argument("--live", action="store_true", help="the live service")
    parser.add_argument("--context", metavar="NAME", help="a saved context of 'prime', for this kernel")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The connection of ``%pods connect``."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.pods.connection.current import connect

    if args.sandbox and args.live:
        raise InvalidRequest("%pods connect: --sandbox and --live are two places; name one")
    if args.sandbox and args.context is not None:
        raise InvalidRequest("%pods connect: --sandbox and --context are two places; name one")
    if args.sandbox or args.live or args.context is not None:
        return connect(sandbox=args.sandbox, live=args.live, context=args.context)
    return magics.connection
