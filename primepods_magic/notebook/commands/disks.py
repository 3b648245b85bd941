"""List your disks as a DataFrame.

They outlive the pods they are attached to, and are billed until deleted.

  %pods disks
  df = %pods disks

Terminating a pod does not delete its disks.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the disks."""
    from primepods_magic.frames import disks_frame
    from primepods_magic.notebook.display.captions import caption, describe_burn
    from primepods_magic.notebook.display.frames import mark_for_display

    connection = magics.connection
    disks = connection.client.list_disks()
    notes = describe_burn(disks, connection.now(), ", attached or not")
    return mark_for_display(
        disks_frame(disks), kind="disks", caption=caption(connection, len(disks), len(disks), "disk", *notes)
    )
