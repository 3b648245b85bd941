"""List your disks as a DataFrame.

They outlive the pods they are attached to, and are billed until deleted.

  %pods disks
  df = %pods disks

Terminating a pod does not delete its disks.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the disks."""
    from primepods_magic.frames import disks_frame
    from primepods_magic.notebook.display.captions import caption, describe_unpriced
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.support.rates import burn_usd_hr, find_unpriced

    connection = magics.connection
    disks = connection.client.list_disks()
    now = connection.now()
    notes = [f"{format_usd_hr(burn_usd_hr(disks, now))}, attached or not"]
    notes += describe_unpriced(find_unpriced(disks, now))
    return mark_for_display(
        disks_frame(disks), kind="disks", caption=caption(connection, len(disks), len(disks), "disk", *notes)
    )
