"""List offers as a DataFrame, cheapest first.

Sold-out offers come last. Offers without a price in USD cannot be rented here.

  %pods avail --gpu H100_80GB
  %pods avail --gpu H100_80GB,A100_80GB --region eu_north,eu_west
  %pods avail --region eu_north --max-price 2
  %pods avail --min-vram 48 --min-memory 128 --sort usd_gb_vram
  offers = %pods avail --gpu A100_80GB --count 8
  %pods avail --gpu H100_80GB --count 16

The --min flags compare what a machine comes with; '%pod_create --disk 500' may ask for more. An offer that
does not state an amount does not reach a minimum. --sort start puts first what is up after the fewest
minutes, as its provider states, and then what has the most stock.

More than 8 GPUs are searched among multi-node offers, too: several connected machines, rented and billed as
one pod. --multi-node lists all of those, and only those. Their prices are for all nodes. An offer does not
state its nodes; 'nodes' is the usual number for its GPUs.

Spot machines can be reclaimed at any time. They are listed only with --spot, and rented by their
cloud_id.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_field, positive, price
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.spec.fields import MINIMUMS, SPEC_FIELDS
from primepods_magic.pods.support.offer_orders import OFFER_ORDERS

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

_PLACES = ("region", "country", "provider", "security", "socket", "data_center_id")
_FILTERS = ("gpu", *_PLACES, "image", "max_price", *MINIMUMS)


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
    parser.add_argument("--spot", action="store_true", help="list spot machines, which can be reclaimed")
    parser.add_argument(
        "--multi-node", action="store_true", help="list only offers of several connected machines"
    )
    parser.add_argument(
        "--sort", choices=OFFER_ORDERS, default="price_hr", help="order of the offers (default price_hr)"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the offers."""
    from primepods_magic.frames import offers_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.listing import list_fitting_offers
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    given = use_flags({name: getattr(args, name) for name in _FILTERS})
    spec = spec_from_mapping(given, needs_gpu=False)
    offers = list_fitting_offers(
        connection,
        spec,
        count=args.count,
        spot=args.spot,
        multi_node=args.multi_node,
        sort=args.sort,
        tell=say,
    )
    return mark_for_display(
        offers_frame(offers),
        kind="offers",
        caption=caption(connection, len(offers), len(offers), "offer", OFFER_ORDERS[args.sort]),
    )
