"""List offers as a DataFrame, cheapest first.

Sold-out offers come last. Offers without a price in USD cannot be rented from here.

  %pods avail --gpu H100_80GB
  %pods avail --region eu_north --max-price 2
  offers = %pods avail --gpu A100_80GB --count 8

Spot machines can be reclaimed at any time. They are listed only with --spot, and rented by their
cloud_id.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, positive, price

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--gpu", metavar="G", help="GPU type, such as H100_80GB")
    parser.add_argument("--count", type=positive, metavar="N", help="number of GPUs")
    parser.add_argument("--region", metavar="R", help="region, such as eu_north")
    parser.add_argument("--country", metavar="C", help="country, such as NO")
    parser.add_argument("--provider", metavar="P", help="provider, such as hyperstack")
    parser.add_argument("--security", choices=["secure_cloud", "community_cloud"], help="kind of cloud")
    parser.add_argument("--socket", metavar="S", help="socket, such as PCIe or SXM5")
    parser.add_argument("--max-price", type=price, metavar="X", help="maximum price in USD per hour")
    parser.add_argument("--spot", action="store_true", help="list spot machines, which can be reclaimed")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the offers."""
    from primepods_magic.frames import offers_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.listing import list_fitting_offers
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    filters = ("gpu", "region", "country", "provider", "security", "socket", "max_price")
    spec = spec_from_mapping({name: getattr(args, name) for name in filters}, needs_gpu=False)
    offers = list_fitting_offers(connection, spec, count=args.count, spot=args.spot)
    return mark_for_display(
        offers_frame(offers),
        kind="offers",
        caption=caption(connection, len(offers), len(offers), "offer", "cheapest first"),
    )
