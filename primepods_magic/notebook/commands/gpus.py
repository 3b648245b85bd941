"""List GPU types as a DataFrame, the one with the cheapest GPU first.

  %pods gpus
  %pods gpus --min-vram 48 --region eu_north,eu_west
  gpus = %pods gpus

Only offers count that can be rented now: on demand, in stock, and with a price in USD. A type that has none
comes last. '%pods avail --gpu H100_80GB' lists the offers of one type.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_field
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.spec.fields import SPEC_FIELDS

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

_FILTERS = ("gpu", "region", "country", "provider", "security", "min_vram")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    for key in _FILTERS:
        add_field(parser, SPEC_FIELDS[key])


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the GPU types."""
    from primepods_magic.frames import gpus_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.listing import list_fitting_offers
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.spec import spec_from_mapping

    connection = magics.connection
    given = use_flags({name: getattr(args, name) for name in _FILTERS})
    spec = spec_from_mapping(given, needs_gpu=False)
    gpus = gpus_frame(list_fitting_offers(connection, spec, tell=say))
    text = caption(connection, len(gpus), len(gpus), "GPU type", "cheapest GPU first")
    return mark_for_display(gpus, kind="gpus", caption=text)
