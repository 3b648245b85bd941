"""``python -m primepods_magic.sandbox``: a sandbox from a shell, until Ctrl-C or SIGTERM."""

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
    """Serve until a signal says stop.

    Parameters
    ----------
    arguments:
        The command line; None takes the process's own.
    """
    options = command_line().parse_args(arguments)
    # Before anything is printed: whoever reads the line may send the signal at once.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # In a shell, a fault of ours may be seen; in a notebook, nobody asked.
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
    """The options of ``python -m primepods_magic.sandbox``."""
    parser = argparse.ArgumentParser(
        prog="python -m primepods_magic.sandbox",
        description="The Pods API on this computer; /docs says what it serves. "
        "Keys: sandbox (may do everything), sandbox-read, sandbox-pods, sandbox-teammate.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="default: %(default)s; one that is not loopback needs --keys"
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="keys of your own, one a line ('read' behind: it only reads)",
    )
    parser.add_argument(
        "--no-admin",
        dest="admin",
        action="store_false",
        help="clients cannot move the clock, choose faults, or change pods, offers and wallets",
    )
    parser.add_argument("--db", type=Path, metavar="FILE", help="keep everything here (default: temporary)")
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        default="spec",
        help="whose words and errors: the specification's or the published OpenAPI's (default: %(default)s)",
    )
    parser.add_argument("--speed", type=float, metavar="X", help="sandbox seconds per second (default: 1)")
    parser.add_argument(
        "--clock", choices=CLOCK_MODES, help="stepped: only clients that wait move it (default: running)"
    )
    parser.add_argument("--start", type=_instant, metavar="ISO-TIME", help="when a new database begins")
    parser.add_argument(
        "--history",
        type=int,
        metavar="ROWS",
        default=DEFAULT_HISTORY_ROWS,
        help="pods that a new database says have ended (default: %(default)s)",
    )
    parser.add_argument(
        "--page-cap",
        type=int,
        metavar="N",
        default=DEFAULT_PAGE_CAP,
        help="longest page (default: %(default)s)",
    )
    parser.add_argument(
        "--latency-ms",
        type=int,
        metavar="N",
        default=0,
        help="milliseconds before each answer (default: %(default)s)",
    )
    parser.add_argument(
        "--faults",
        metavar="PROFILE",
        default="none",
        help="what goes wrong on purpose: launch, flaky, slow, down, availability, or a file with rules as "
        "JSON (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="N",
        help="the same one makes the same past, pods and faults (default: %(default)s)",
    )
    return parser


def _instant(text: str) -> datetime:
    try:
        # Python 3.10 does not read the Z.
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: write it as 2026-09-14T08:00:00Z (UTC where no zone is said)"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
