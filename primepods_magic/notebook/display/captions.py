"""The line above a frame: its source, its number of rows, and a sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from primepods_magic.api.text.money import MISSING, format_usd_hr
from primepods_magic.api.text.sanitize import join_first, sanitize, shorten
from primepods_magic.pods.support.rates import burn_usd_hr, find_unpriced

if TYPE_CHECKING:
    from primepods_magic.api.disks import Disk
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection

__all__ = [
    "DISKS_UNSEEN",
    "OWNERS_UNKNOWN",
    "TEAMS_UNSEEN",
    "caption",
    "describe_burn",
    "describe_guards",
    "describe_unknown_costs",
    "describe_unpriced",
]

DISKS_UNSEEN = "disks not counted: your key may not list them"
OWNERS_UNKNOWN = "not known to be yours: the service does not say who you are, or whose they are"
_MAX_NAMES = 3
_MAX_NAME_CHARS = 60
TEAMS_UNSEEN = "teams without live pods or disks of yours not counted: your key may not list teams"


def caption(connection: Connection, shown: int, total: int, noun: str, *more: str) -> str:
    """Format a caption such as ``sandbox · 20 of 143 pods · $5.41/h``."""
    number = f"{shown}" if shown == total else f"{shown} of {total}"
    return " · ".join([connection.label, f"{number} {noun}{'' if total == 1 else 's'}", *more])


def describe_burn(things: Sequence[PodDetails | Disk], now: datetime, when: str) -> list[str]:
    """Return notes about what pods and disks cost per hour: the sum, and which prices it leaves out."""
    rate = format_usd_hr(burn_usd_hr(things, now))
    return [f"{rate}{when}", *describe_unpriced(find_unpriced(things, now))]


def describe_guards(connection: Connection) -> list[str]:
    """Return notes about guarded pods: when the next one ends, and which guards cannot end theirs."""
    from primepods_magic.pods.guards.records import read_guards
    from primepods_magic.pods.guards.times import describe_end

    guards = read_guards(connection)
    notes = []
    timed = [guard for guard in guards if guard.due_at is not None]
    if timed:
        first = min(timed, key=lambda guard: str(guard.due_at))
        assert first.due_at is not None
        notes.append(
            f"'{shorten(sanitize(first.pod), _MAX_NAME_CHARS)}' ends at {describe_end(first.due_at)}"
        )
    unproven = [f"'{shorten(sanitize(guard.pod), _MAX_NAME_CHARS)}'" for guard in guards if guard.trouble]
    if unproven:
        notes.append(f"trouble with the guard of {join_first(unproven, _MAX_NAMES)}: see '%pods guard'")
    return notes


def describe_unpriced(things: Sequence[PodDetails | Disk]) -> list[str]:
    """Return a note about things whose prices a total leaves out, none if there are none.

    >>> from primepods_magic.api.models import PodDetails
    >>> describe_unpriced([PodDetails(name="train")])
    ["price of 'train' not known, so the total may be too low"]
    """
    if not things:
        return []
    prices = "price" if len(things) == 1 else "prices"
    names = join_first([_quote_name(thing.name) for thing in things], _MAX_NAMES)
    return [f"{prices} of {names} not known, so the total may be too low"]


def describe_unknown_costs(things: Iterable[tuple[object, float | None]]) -> list[str]:
    """Return notes about things whose cost so far is not known, given their names and USD per hour.

    >>> describe_unknown_costs([("train", 2.0)])
    ["cost of 'train' ($2.00/h) not known: no creation time"]
    """
    undated, unpriced = [], []
    for name, usd_hr in things:
        rate = format_usd_hr(usd_hr)
        if rate == MISSING:
            unpriced.append(_quote_name(name))
        else:
            undated.append(f"{_quote_name(name)} ({rate})")
    notes = [f"cost of {join_first(undated, _MAX_NAMES)} not known: no creation time"] if undated else []
    return notes + ([f"cost of {join_first(unpriced, _MAX_NAMES)} not known: no price"] if unpriced else [])


def _quote_name(name: object) -> str:
    text = shorten(sanitize(name), _MAX_NAME_CHARS) if isinstance(name, str) else ""
    return f"'{text}'" if text else "one without a name"
