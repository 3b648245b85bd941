"""What is kept of your history on this computer, as a DataFrame: rows that change no more, so that they need
not be read again.

  %pods cache
  %pods cache --clear

Nothing is lost by clearing it: the next '%pods history' reads everything from the service.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%pods cache``."""
    parser.add_argument("--clear", action="store_true", help="forget it, of every account")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods cache``."""
    from primepods_magic.frames import cache_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.history import cache_files, clear_cache

    files = clear_cache() if args.clear else cache_files()
    rows = sum(file.rows for file in files)
    count = f"{len(files)} {'history' if len(files) == 1 else 'histories'}, {rows:,} rows"
    said = f"{'forgotten' if args.clear else 'kept on this computer'}: {count if files else 'no histories'}"
    return mark_for_display(cache_frame(files), kind="cache", caption=said)
