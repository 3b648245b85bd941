"""List, create, rename and delete disks, as a DataFrame.

Disks outlive the pods they are attached to, and are billed from their creation until they are deleted.

  %pods disks
  %pods disks offers --country US
  %pods disks create corpus --size 500 --country US --wait
  %pods disks show corpus
  %pods disks rename corpus texts
  %pods disks rm texts

'create' uses the cheapest place that fits, and returns your disk of this name if there is one. Running it
again never creates a second one, also if Ctrl-C or a dead kernel interrupted it. A pod can use a disk of its
own provider and data center: 'disks: [ID]' in '%%pod_create'.

'rm' deletes a disk and everything on it, and verifies that it is gone. Terminating a pod does not delete its
disks, and a disk that a pod uses is not deleted. 'watch' waits until a disk can be attached.
"""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_timeout, add_yes, positive, price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from primepods_magic.api.disks import Disk
    from primepods_magic.notebook.magics import PodsMagics

ACTIONS = ("list", "offers", "create", "show", "rename", "rm", "watch")
DISK_PLACE_KEYS = ("provider", "country", "region", "data_center_id")
_PLACE = ("provider", "country", "region", "data_center")
_FLAGS = {
    "list": (),
    "offers": ("size", *_PLACE),
    "create": ("size", *_PLACE, "max_price", "wait", "yes"),
    "show": (),
    "rename": (),
    "rm": ("yes", "others"),
    "watch": (),
}
_USES = {
    "create": (1, "%pods disks create NAME --size GB"),
    "show": (1, "%pods disks show DISK"),
    "rename": (2, "%pods disks rename DISK NAME"),
    "watch": (1, "%pods disks watch DISK"),
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="action (default list)")
    parser.add_argument(
        "disks", metavar="DISK", nargs="*", help="name or id; for create and rename, the new name"
    )
    parser.add_argument("--size", type=positive, metavar="GB", help="size in GB")
    parser.add_argument("--provider", metavar="NAME", help="provider of the place")
    parser.add_argument("--country", metavar="CC", help="two-letter code of the country")
    parser.add_argument("--region", metavar="NAME", help="region, such as united_states")
    parser.add_argument("--data-center", metavar="ID", help="the provider's id of the data center")
    parser.add_argument(
        "--max-price", type=price, metavar="X", help="maximum price of the disk in USD per hour"
    )
    parser.add_argument("--wait", action="store_true", help="wait until the disk can be attached")
    add_timeout(parser)
    add_yes(parser)
    parser.add_argument(
        "--others", action="store_true", help="with -y, also delete several disks not known to be yours"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the disks, the offers, or what was done."""
    _check_words(args)
    actions = {"offers": _list_offers, "create": _create, "rename": _rename, "rm": _delete, "watch": _watch}
    if args.action in actions:
        return actions[args.action](magics, args)
    if args.action == "show":
        from primepods_magic.pods.disks.find import find_disk

        return _mark_disks(magics, [find_disk(magics.connection, args.disks[0])])
    return _mark_disks(magics, magics.connection.client.list_disks())


def _check_words(args: Namespace) -> None:
    from primepods_magic.api.errors import InvalidRequest

    accepted = _FLAGS[args.action]
    given = ("size", *_PLACE, "max_price", "wait", "yes", "others")
    wrong = [name for name in given if getattr(args, name) not in (None, False) and name not in accepted]
    if wrong:
        flag = "-y" if wrong[0] == "yes" else f"--{wrong[0].replace('_', '-')}"
        raise InvalidRequest(f"'%pods disks {args.action}' does not take {flag}. Nothing was done")
    if args.action in ("list", "offers") and args.disks:
        raise InvalidRequest(f"'%pods disks {args.action}' takes no DISK; 'show' does. Nothing was done")
    number, use = _USES.get(args.action, (len(args.disks), ""))
    if len(args.disks) != number:
        raise InvalidRequest(f"'{use}' takes {number} name{'' if number == 1 else 's'}. Nothing was done")
    if args.action == "create" and args.size is None:
        raise InvalidRequest(f"How large? For example: '{use.replace('GB', '500')}'. Nothing was created")
    if args.action == "rm" and not args.disks:
        raise InvalidRequest("Which disk? For example: '%pods disks rm corpus'. Nothing was done")


def _create(magics: PodsMagics, args: Namespace) -> Any:
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.disks.change import wait_for_disk
    from primepods_magic.pods.disks.create import create_disk

    disk = create_disk(
        args.disks[0],
        args.size,
        **{name: getattr(args, name) for name in _PLACE},
        max_price_usd_hr=args.max_price,
        yes=args.yes,
        confirm=partial(confirm, magics.shell),
        tell=say,
        connection=magics.connection,
        settle_s=magics.settle_s,
    )
    if args.wait:
        disk = wait_for_disk(magics.connection, disk, timeout_s=args.timeout, tell=say)
    return _mark_disks(magics, [disk])


def _rename(magics: PodsMagics, args: Namespace) -> Any:
    from primepods_magic.pods.disks.change import rename_disk

    disk, name = args.disks
    return _mark_disks(magics, [rename_disk(disk, name, connection=magics.connection)], "renamed")


def _watch(magics: PodsMagics, args: Namespace) -> Any:
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.disks.change import wait_for_disk
    from primepods_magic.pods.disks.find import find_disk

    disk = find_disk(magics.connection, args.disks[0])
    return _mark_disks(magics, [wait_for_disk(magics.connection, disk, timeout_s=args.timeout, tell=say)])


def _delete(magics: PodsMagics, args: Namespace) -> Any:
    from primepods_magic.frames import deleted_disks_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.disks.change import DELETED, delete_disks

    connection = magics.connection
    removals = delete_disks(
        args.disks,
        yes=args.yes,
        others=args.others,
        confirm=partial(confirm, magics.shell),
        connection=connection,
    )
    left = sum(removal.outcome != DELETED for removal in removals)
    parts = [f"{left} not known to be gone"] if left else []
    frame = deleted_disks_frame(removals)
    return mark_for_display(
        frame, kind="deleted_disks", caption=caption(connection, len(frame), len(frame), "disk", *parts)
    )


def _list_offers(magics: PodsMagics, args: Namespace) -> Any:
    wanted = {key: getattr(args, name) for key, name in zip(DISK_PLACE_KEYS, _PLACE, strict=True)}
    return show_disk_offers(magics, wanted, size_gb=args.size)


def show_disk_offers(magics: PodsMagics, wanted: Mapping[str, object], *, size_gb: int | None = None) -> Any:
    """Return the offers of disks at the places that `DISK_PLACE_KEYS` of a spec name, cheapest first."""
    from primepods_magic.frames import disk_offers_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.disks.offers import DiskPlace, list_fitting_disk_offers
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    spec = spec_from_mapping(use_flags(wanted), needs_gpu=False)
    place = DiskPlace(spec.provider, spec.country, spec.region, spec.data_center_id)
    frame = disk_offers_frame(list_fitting_disk_offers(connection, place, size_gb=size_gb))
    return mark_for_display(
        frame,
        kind="disk_offers",
        caption=caption(connection, len(frame), len(frame), "offer", "cheapest first"),
    )


def _mark_disks(magics: PodsMagics, disks: Sequence[Disk], *parts: str) -> Any:
    from primepods_magic.frames import disks_frame
    from primepods_magic.notebook.display.captions import caption, describe_burn
    from primepods_magic.notebook.display.frames import mark_for_display

    connection = magics.connection
    notes = describe_burn(disks, connection.now(), ", attached or not")
    return mark_for_display(
        disks_frame(disks),
        kind="disks",
        caption=caption(connection, len(disks), len(disks), "disk", *parts, *notes),
    )
