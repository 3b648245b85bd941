"""The command line `python -m primepods_magic.sandbox`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from primepods_magic.sandbox.schemas.enums import CLOCK_MODES, DIALECTS
from primepods_magic.sandbox.storage.connection import DatabaseUnusable

from .server import DEFAULT_HISTORY_ROWS, DEFAULT_PAGE_CAP, DEFAULT_SEED, start


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    options = command_line().parse_args(arguments)
    # Install the handlers before printing: a reader of the line may send a signal immediately.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Log internal errors in a shell, but not in a notebook.
    logging.getLogger("primepods_magic.sandbox").addHandler(logging.StreamHandler())
    try:
        sandbox = start(**vars(options))
    except (DatabaseUnusable, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with sandbox:
        print(f"listening on {sandbox.url}", flush=True)
        stop.wait()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return the parser of `python -m primepods_magic.sandbox`."""
    parser = argparse.ArgumentParser(
        prog="python -m primepods_magic.sandbox",
        description="Run a local simulation of the Pods API; /docs lists its routes. "
        "Keys: sandbox (all permissions), sandbox-read, sandbox-pods, sandbox-teammate.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; any but loopback requires --keys")
    add("--port", type=int, default=0, help="default: a free port")
    add(
        "--keys",
        type=Path,
        metavar="FILE",
        help="your own keys, one per line (followed by 'read' if read-only)",
    )
    add(
        "--no-admin",
        dest="admin",
        action="store_false",
        help="remove the routes that move the clock, select faults, or change pods, offers and wallets",
    )
    add(
        "--machines",
        action="store_true",
        help="let the account's SSH keys log in to ready pods; commands run on this computer, as you",
    )
    add("--db", type=Path, metavar="FILE", help="database file (default: temporary)")
    add(
        "--dialect",
        choices=DIALECTS,
        default="spec",
        help="values and errors of the specification or of the published OpenAPI (default: %(default)s)",
    )
    add("--speed", type=float, metavar="X", help="sandbox seconds per second (default: 1)")
    add("--clock", choices=CLOCK_MODES, help="stepped: only POST /sandbox/clock moves it (default: running)")
    add("--start", type=_parse_time, metavar="ISO-TIME", help="start time of a new database")
    add(
        "--history",
        type=int,
        metavar="ROWS",
        default=DEFAULT_HISTORY_ROWS,
        help="terminated pods in a new database (default: %(default)s)",
    )
    add(
        "--page-cap",
        type=int,
        metavar="N",
        default=DEFAULT_PAGE_CAP,
        help="maximum page size (default: %(default)s)",
    )
    add(
        "--latency-ms",
        type=int,
        metavar="N",
        default=0,
        help="delay of each response in milliseconds (default: %(default)s)",
    )
    add(
        "--faults",
        metavar="PROFILE",
        default="none",
        help="injected faults: launch, flaky, slow, down, availability, or a JSON file with rules "
        "(default: %(default)s)",
    )
    add(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="N",
        help="determines the history, pods and faults (default: %(default)s)",
    )
    return parser


def _parse_time(text: str) -> datetime:
    try:
        # Python 3.10 does not parse the Z.
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"cannot parse time {text!r}. Use 2026-09-14T08:00:00Z (UTC if no time zone is given)"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
