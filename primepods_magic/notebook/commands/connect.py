"""Choose where requests go: the live service, or a sandbox on this computer that simulates pods.

Without a flag, show the connection in use, and where its key, URL and team come from.

  %pods connect
  %pods connect --sandbox
  %pods connect --sandbox --no-machines
  %pods connect --live
  %pods connect --context work

A choice lasts until the next one. Without a choice, the PRIME_… variables and the files of 'prime'
decide, and later changes to them take effect. Without a key, an interactive notebook uses the sandbox.
With asyncssh installed, you can log in to the sandbox's pods over ssh, from this computer only; commands
there run as you. --no-machines starts a sandbox without this.
--context names a context that 'prime config save' saved; the variables override it.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--sandbox", action="store_true", help="use the sandbox, even if there is a key")
    parser.add_argument(
        "--no-machines",
        dest="machines",
        action="store_const",
        const=False,
        help="with --sandbox: no ssh logins to its pods",
    )
    parser.add_argument("--live", action="store_true", help="use the live service")
    parser.add_argument("--context", metavar="NAME", help="use a saved context of 'prime' in this kernel")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the connection in use, after changing it if asked to."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.pods.connection.current import connect

    if args.sandbox and args.live:
        raise InvalidRequest("%pods connect: use either --sandbox or --live")
    if args.sandbox and args.context is not None:
        raise InvalidRequest("%pods connect: use either --sandbox or --context")
    if args.machines is not None and not args.sandbox:
        raise InvalidRequest("%pods connect: --no-machines needs --sandbox")
    if args.sandbox or args.live or args.context is not None:
        return connect(sandbox=args.sandbox, machines=args.machines, live=args.live, context=args.context)
    return magics.connection
