"""Cost of live pods and disks: what their wallets were billed, and what accrued since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import ge

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.background import run_concurrently
from primepods_magic.pods.support.name_matching import is_same_payer
from primepods_magic.pods.support.rates import accrued_usd

from .permissions import none_if_forbidden
from .wallet import read_wallet

__all__ = ["Billed", "add_up", "collect_billings", "cost_so_far_usd", "latest_billings"]

_PAGE_ROWS = 100
_MAX_ROWS = 1000
"""Maximum number of billings of one wallet read for an overview: twenty requests."""


@dataclass(frozen=True)
class Billed:
    """The billings of one pod or disk, added up, and when it was last billed, if stated."""

    usd: float
    until: datetime | None = None


def add_up(
    billings: Iterable[tuple[str | None, float | None, datetime | None]],
) -> dict[str, Billed]:
    """Add up billings by pod or disk id; a billing of 0 means that nothing was billed yet.

    A sum below 0 is left out: nothing that lives has cost less than nothing.

    >>> add_up([("p1", 2.0, None), ("p1", 40.0, None), ("p2", 0.0, None)])
    {'p1': Billed(usd=42.0, until=None)}
    """
    sums: dict[str, Billed] = {}
    for thing_id, usd, until in billings:
        if thing_id and usd:
            known = sums.get(thing_id, Billed(0.0))
            latest = max((moment for moment in (known.until, until) if moment), default=None)
            sums[thing_id] = Billed(known.usd + usd, latest)
    return {thing_id: billed for thing_id, billed in sums.items() if billed.usd >= 0}


def cost_so_far_usd(thing: PodDetails | Disk, billed: Billed | None, now: datetime) -> float | None:
    """Return a thing's cost so far in USD: what was billed, plus what has accrued since, as far as known.

    If the billing has no date, return the larger of what was billed and what has accrued in total. Return
    ``None`` if nothing was billed and the price or the beginning is not known.

    >>> from datetime import timedelta, timezone
    >>> noon = datetime(2026, 9, 14, 12, tzinfo=timezone.utc)
    >>> pod = PodDetails(status="ACTIVE", price_hr=2.0, created_at=noon - timedelta(hours=20))
    >>> cost_so_far_usd(pod, Billed(30.0, noon - timedelta(hours=4)), noon)
    38.0
    """
    if billed is None:
        return accrued_usd(thing, now)
    if billed.until is None:
        return max(billed.usd, accrued_usd(thing, now) or 0.0)
    return billed.usd + (accrued_usd(thing, now, since=billed.until) or 0.0)


def latest_billings(connection: Connection, team_id: str | None) -> Wallet | None:
    """Return a wallet with its latest billings, or None if the key may not see it."""
    return none_if_forbidden(lambda: connection.client.wallet(team_id=team_id, limit=_PAGE_ROWS))


def collect_billings(
    connection: Connection, wallets: Mapping[str | None, Wallet | None], things: Iterable[PodDetails | Disk]
) -> list[Billing]:
    """Return the billings of live things, complete for each of them or none of it.

    `wallets` are by team, mine under None, as `latest_billings` returns them. More is read of a wallet that
    may have more billings. A thing with more billings than can be read gets none, so that it is estimated;
    so does one that is billed in another currency than USD.
    """
    paid = list(things)
    works = [
        partial(
            _read_needed,
            connection,
            team_id,
            wallet,
            [thing for thing in paid if is_same_payer(thing.team_id, team_id)],
        )
        for team_id, wallet in wallets.items()
        if wallet is not None
    ]
    rows = [row for done in run_concurrently(connection, works) for row in done.result()]
    # An amount in another currency is not one in USD, whatever its field is called.
    foreign = {row.resource_id for row in rows if row.currency not in (None, "USD")}
    # Two wallets may list the same billing.
    unique = {row.id or f"#{index}": row for index, row in enumerate(rows)}.values()
    return [row for row in unique if row.resource_id not in foreign]


def _read_needed(
    connection: Connection, team_id: str | None, wallet: Wallet, things: list[PodDetails | Disk]
) -> list[Billing]:
    rows, total = wallet.recent_billings, wallet.total_billings
    if len(rows) < _PAGE_ROWS and (total is None or total <= len(rows)):
        return rows
    uncovered = _find_uncovered(rows, things)
    if uncovered:
        try:
            rows = read_wallet(connection, team_id=team_id, limit=_MAX_ROWS).recent_billings
        except PodsError:
            # A list that changes with every billing cannot always be read; fall back to an estimate by price.
            pass
        else:
            uncovered = _find_uncovered(rows, things) if len(rows) >= _MAX_ROWS else set()
    return [row for row in rows if row.resource_id not in uncovered]


def _find_uncovered(rows: list[Billing], things: list[PodDetails | Disk]) -> set[str | None]:
    """Return the ids of things that may have billings further down the list."""
    ids = Counter(row.resource_id for row in rows if row.resource_id)
    # As documented, each pod or disk has one row, which grows.
    has_one_row_each = max(ids.values(), default=1) == 1
    moments = [moment for row in rows if (moment := row.last_billed_at or row.updated_at or row.created_at)]
    is_newest_first = len(moments) == len(rows) and all(map(ge, moments, moments[1:]))
    oldest = moments[-1] if moments and is_newest_first else None

    def is_covered(thing: PodDetails | Disk) -> bool:
        is_younger = oldest is not None and thing.created_at is not None and oldest < thing.created_at
        return is_younger or (has_one_row_each and thing.id in ids)

    return {thing.id for thing in things if not is_covered(thing)}
