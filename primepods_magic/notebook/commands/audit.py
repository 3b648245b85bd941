"""List what was rented and terminated from this computer, as a DataFrame, the latest last.

  %pods audit
  %pods audit --since 7d
  df = %pods audit

Each create and each termination has an entry before it is sent, and one for its outcome: of notebooks,
scripts, guards and Python programs, for all your accounts. 'service' tells the sandbox from the live service.
The log is a file on this computer, without keys, commands or values of variables; the latest 1 to 2 MB are
kept. No request is sent.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--since",
        metavar="T",
        help="only what happened at or after T: 2026-09-01, 2026-09, 7d, today, month …",
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the entries."""
    from datetime import datetime, timezone

    from primepods_magic.frames import audit_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.input.dates import parse_time
    from primepods_magic.pods.audit import read_audit

    since = parse_time(args.since, datetime.now(timezone.utc), timezone.utc) if args.since else None
    entries = [entry for entry in read_audit() if since is None or entry.at >= since]
    simulated = sum(entry.service == "sandbox" for entry in entries)
    parts = ["this computer", f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"]
    parts += [f"{simulated} of the sandbox, where no money is spent"] if simulated else []
    return mark_for_display(audit_frame(entries), kind="audit", caption=" · ".join(parts))
