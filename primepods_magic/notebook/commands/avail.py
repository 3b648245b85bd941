"""List offers as a DataFrame, cheapest first.

Sold-out offers come last. Offers without a price in USD cannot be rented here.

  %pods avail --gpu H100_80GB
  %pods avail --gpu H100_80GB,A100_80GB --region eu_north,eu_west
  %pods avail --region eu_north --max-price 2
  %pods avail --min-vram 48 --min-memory 128 --sort usd_gb_vram
  offers = %pods avail --gpu A100_80GB --count 8
  %pods avail --gpu H100_80GB --disk corpus
  %pods avail --disks --country FI,US
  %pods avail --gpu H100_80GB --count 16

The --min flags compare what a machine comes with; '%pod_create --disk 500' may ask for more. An offer that
does not state an amount does not reach a minimum. --sort start puts first what is up after the fewest
minutes, as its provider states, and then what has the most stock.

--disk lists only the offers to which your disk can be attached: those of its provider and data center. Give
it again for several disks. --disks lists where disks can be created instead, as '%pods disks offers' does.

More than 8 GPUs are searched among multi-node offers, too: several connected machines, rented and billed as
one pod. --multi-node lists all of those, and only those. Their prices are for all nodes. An offer does not
state its nodes; 'nodes' is the usual number for its GPUs.

Spot machines can be reclaimed at any time. They are listed only with --spot, and rented by their
cloud_id.
"""

from __future__ import annotations

import re
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.commands.disks import DISK_PLACE_KEYS, show_disk_offers
from primepods_magic.notebook.input.arguments import ArgumentParser, add_field, positive, price
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.spec.fields import MINIMUMS, SPEC_FIELDS
from primepods_magic.pods.support.offer_orders import OFFER_ORDERS

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

_PLACES = ("region", "country", "provider", "security", "socket", "data_center_id")
_FILTERS = ("gpu", *_PLACES, "image", "max_price", *MINIMUMS)
_ORDER = "price_hr"
_NOT_OF_DISKS = (
    "gpu",
    "count",
    "security",
    "socket",
    "image",
    *MINIMUMS,
    "max_price",
    "spot",
    "multi_node",
    "disk",
    "sort",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_field(parser, SPEC_FIELDS["gpu"])
    parser.add_argument("--count", type=positive, metavar="N", help="number of GPUs")
    for key in ("region", "country", "provider"):
        add_field(parser, SPEC_FIELDS[key])
    parser.add_argument("--security", choices=SPEC_FIELDS["security"].words, help="kind of cloud")
    add_field(parser, SPEC_FIELDS["socket"])
    add_field(parser, SPEC_FIELDS["data_center_id"], "--data-center")
    for key in ("image", *MINIMUMS):
        add_field(parser, SPEC_FIELDS[key])
    parser.add_argument("--max-price", type=price, metavar="X", help="maximum price in USD per hour")
    parser.add_argument(
        "--multi-node", action="store_true", help="list only offers of several connected machines"
    )
    parser.add_argument(
        "--disk", action="append", metavar="DISK", help="disk of yours to attach, by name or id"
    )
    parser.add_argument("--disks", action="store_true", help="list offers of disks instead")
    parser.add_argument("--spot", action="store_true", help="list spot machines, which can be reclaimed")
    parser.add_argument("--sort", choices=OFFER_ORDERS, help=f"order of the offers (default {_ORDER})")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the offers of pods, or those of disks."""
    if args.disks:
        _refuse_other_flags(args)
        return show_disk_offers(magics, {key: getattr(args, key) for key in DISK_PLACE_KEYS})
    return _list_offers(magics, args)


def _refuse_other_flags(args: Namespace) -> None:
    from primepods_magic.api.errors import InvalidRequest

    wrong = [name for name in _NOT_OF_DISKS if getattr(args, name) not in (None, False)]
    if wrong:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise InvalidRequest(f"--disks lists offers of disks, so it cannot go with {flags}. Nothing was done")


def _list_offers(magics: PodsMagics, args: Namespace) -> Any:
    from primepods_magic.api.errors import NotFound
    from primepods_magic.api.text.sanitize import join_sanitized
    from primepods_magic.frames import offers_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.listing import list_fitting_offers
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    given = use_flags({**{name: getattr(args, name) for name in _FILTERS}, "disks": args.disk})
    spec, order = spec_from_mapping(given, needs_gpu=False), args.sort or _ORDER
    try:
        offers = list_fitting_offers(
            connection,
            spec,
            count=args.count,
            spot=args.spot,
            multi_node=args.multi_node,
            sort=order,
            tell=say,
        )
    except NotFound as error:
        if any(re.fullmatch(r"\d+ ?(GB|gb)?", text) for text in args.disk or ()):
            raise NotFound(f"{error}. For the size of a pod's own disk, use --min-disk") from None
        raise
    where = [f"where {join_sanitized(args.disk)} can be attached"] if args.disk else []
    return mark_for_display(
        offers_frame(offers),
        kind="offers",
        caption=caption(connection, len(offers), len(offers), "offer", *where, OFFER_ORDERS[order]),
    )
