"""SSH keys that can log in to pods rented from now on, as a DataFrame; the primary one is taken where a spec
names none.

  %pods keys
  %pods keys add
  %pods keys add ~/.ssh/id_ed25519.pub --name desktop
  %pods keys primary laptop

Only a public key is ever sent; a file that holds a private one is refused.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """What ``%pods keys`` takes."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "add", "primary"],
        default="list",
        help="what to do (default list)",
    )
    parser.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="for add: a file with a public key (default: the usual one in ~/.ssh); for primary: name or id",
    )
    parser.add_argument("--name", metavar="NAME", help="what to call the key that is added")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods keys``, after what was asked for was done."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import keys_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.ssh.keys import add_key, list_keys, make_primary

    if args.action == "list" and args.key is not None:
        raise InvalidRequest("%pods keys list takes no KEY; 'add' and 'primary' do. Nothing was done")
    if args.action != "add" and args.name is not None:
        raise InvalidRequest("--name belongs to '%pods keys add'. Nothing was done")
    connection, done = magics.connection, []
    if args.action == "add":
        done = [f"'{sanitize(add_key(connection, args.key, name=args.name).name)}' is there"]
    elif args.action == "primary":
        if args.key is None:
            raise InvalidRequest("%pods keys primary needs a KEY, by its name or id. Nothing was done")
        done = [f"'{sanitize(make_primary(connection, args.key).name)}' is primary"]
    keys = list_keys(connection)
    return mark_for_display(
        keys_frame(keys), kind="keys", caption=caption(connection, len(keys), len(keys), "key", *done)
    )
