"""Show the part of your history that is stored on this computer, as a DataFrame.

It holds rows that no longer change, so that they are read only once.

  %pods cache
  %pods cache --clear

Clearing loses nothing: the next '%pods history' reads everything from the service again.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--clear", action="store_true", help="delete it, for every account")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the cache files, after clearing them if asked to."""
    from primepods_magic.frames import cache_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.history import cache_files, clear_cache

    files = clear_cache() if args.clear else cache_files()
    rows = sum(file.rows for file in files)
    count = f"{len(files)} {'history' if len(files) == 1 else 'histories'}, {rows:,} rows"
    line = f"{'deleted' if args.clear else 'stored on this computer'}: {count if files else 'no histories'}"
    return mark_for_display(cache_frame(files), kind="cache", caption=line)
