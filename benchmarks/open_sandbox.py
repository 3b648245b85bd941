"""Starting a sandbox: on no database, on a small one, and on one with 100,000 rows of history."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.harness import Contestant, timed
from primepods_magic.sandbox import start


@contextmanager
def open_sandbox() -> Iterator[dict[str, Contestant]]:
    """From the call until it accepts connections, and until it has stopped again."""
    with tempfile.TemporaryDirectory(prefix="primepods-bench-") as folder:
        small, big = Path(folder) / "small.sqlite", Path(folder) / "big.sqlite"
        start(small, clock="stepped").stop()
        start(big, clock="stepped", history=100_000).stop()
        yield {
            "180 rows": timed(partial(_once, small)),
            "100,000 rows": timed(partial(_once, big)),
            "a new database": timed(partial(_once, None)),
        }


def _once(db: Path | None) -> None:
    start(db, clock="stepped").stop()
