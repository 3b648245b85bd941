"""List the SSH keys that can log in to pods you rent, as a DataFrame.

Launches that name no key use the primary one.

  %pods keys
  %pods keys add
  %pods keys add ~/.ssh/id_ed25519.pub --name desktop
  %pods keys add --new
  %pods keys primary laptop
  %pods keys rm laptop

Only a public key is ever sent. A file with a private key is refused. --new makes a key without a passphrase,
~/.ssh/id_ed25519_primepods, which is never overwritten; '%pods ssh NAME --config' uses it.
"""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "add", "primary", "rm"],
        default="list",
        help="action (default list)",
    )
    parser.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="for add: file with a public key (default: the usual one in ~/.ssh); else: name or id",
    )
    parser.add_argument("--name", metavar="NAME", help="name for the added key")
    parser.add_argument("-y", "--yes", action="store_true", help="for rm: do not ask")
    parser.add_argument("--new", action="store_true", help="for add: make a new key, without a passphrase")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the keys, after adding or choosing one if asked to."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.local.folders import shorten_path
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import keys_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.ssh.keys import add_key, add_new_key, list_keys, make_primary, remove_key

    if args.action == "list" and args.key is not None:
        raise InvalidRequest(
            "%pods keys list does not take a KEY; 'add', 'primary' and 'rm' do. Nothing was done"
        )
    if args.action in ("primary", "rm") and args.key is None:
        raise InvalidRequest(f"%pods keys {args.action} needs the name or id of a KEY. Nothing was done")
    if args.yes and args.action != "rm":
        raise InvalidRequest("Only '%pods keys rm' takes -y. Nothing was done")
    if args.action != "add" and args.name is not None:
        raise InvalidRequest("Only '%pods keys add' takes --name. Nothing was done")
    if args.new and (args.action != "add" or args.key is not None):
        raise InvalidRequest("--new makes a key for '%pods keys add', without a KEY. Nothing was done")
    connection, done = magics.connection, []
    if args.new:
        key, path = add_new_key(connection, name=args.name)
        done = [f"'{sanitize(key.name)}' was added: {shorten_path(path)}, without a passphrase"]
    elif args.action == "add":
        done = [f"'{sanitize(add_key(connection, args.key, name=args.name).name)}' was added"]
    elif args.action == "primary":
        done = [f"'{sanitize(make_primary(connection, args.key).name)}' is primary"]
    elif args.action == "rm":
        ask = (lambda _: True) if args.yes else partial(confirm, magics.shell)
        done = [f"'{sanitize(remove_key(connection, args.key, ask).name)}' was removed"]
    keys = list_keys(connection)
    return mark_for_display(
        keys_frame(keys), kind="keys", caption=caption(connection, len(keys), len(keys), "key", *done)
    )
