"""Overview of live pods and disks, their hourly cost, spending, and how long the balance lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from operator import ge
from typing import Any

from primepods_magic.api.account import Team, Wallet
from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.background import run_concurrently
from primepods_magic.pods.support.name_matching import is_same_payer, spell_ids
from primepods_magic.pods.support.rates import (
    burn_usd_hr,
    end_of,
    find_unpriced,
    get_rate_usd_hr,
    has_ended,
    highest_burn_usd_hr,
)
from primepods_magic.pods.unlisted import read_shown

from .billings import Billed, add_up, collect_billings, cost_so_far_usd, latest_billings
from .permissions import none_if_forbidden
from .teams import list_payers

__all__ = ["Overview", "WalletState", "overview"]

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class WalletState:
    """One wallet, mine or a team's, and what it pays for; amounts in USD.

    `disks` is None, and in no sum, if the key may not list disks. `burn_usd_hr` is the estimated hourly cost
    of what is live, `burn_mine_usd_hr` of my pods and disks. `today_usd` and `month_usd` are spent since
    midnight and the first of the month (UTC), `month_mine_usd` for what is mine: the service's totals of
    ended things, spread evenly over their lives; for live things, what was billed and an estimate of the
    rest. `highest_burn_usd_hr` is what live things cost once they are up. The price of `unpriced` things is
    not known, nor the cost so far of `undated` ones, which state no beginning; the sums leave out what is
    not known.
    """

    name: str
    team_id: str | None
    pods: int
    pods_mine: int
    disks: int | None
    burn_usd_hr: float
    burn_mine_usd_hr: float
    today_usd: float | None
    month_usd: float | None
    balance_usd: float | None
    month_mine_usd: float | None = None
    highest_burn_usd_hr: float = 0.0
    highest_burn_mine_usd_hr: float = 0.0
    unpriced: tuple[PodDetails | Disk, ...] = ()
    undated: tuple[PodDetails | Disk, ...] = ()

    @property
    def hours_left(self) -> float | None:
        """Hours that the balance lasts at this rate; None if unknown or nothing is spent."""
        if self.balance_usd is None or not self.burn_usd_hr:
            return None
        return max(0.0, self.balance_usd) / self.burn_usd_hr


@dataclass(frozen=True)
class Overview:
    """My name, if the key may read it, and the wallets: my own first, then my teams'.

    Without `may_list_teams`, only teams that live pods and disks of mine name are included.
    """

    person: str | None
    wallets: tuple[WalletState, ...]
    as_of: datetime
    may_list_teams: bool = True


@dataclass(frozen=True)
class _AccountAnswers:
    """Responses that an overview is computed from; None if the key may not ask."""

    pods: list[PodDetails]
    disks: list[Disk] | None
    history: list[HistoryRow]
    billed: dict[str, Billed]
    now: datetime


def overview(connection: Connection) -> Overview:
    """Fetch everything for an overview concurrently.

    What the key may not ask for, such as wallets, is left out. Raises PodsError if pods or history cannot be
    listed.

    >>> overview(connect(sandbox=True)).wallets[0].balance_usd               # doctest: +SKIP
    1000.0
    """
    client, now = connection.client, connection.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    requests: list[Callable[[], Any]] = [
        partial(read_shown, connection),
        lambda: none_if_forbidden(client.list_disks),
        lambda: _read_ended_since(connection, month),
        lambda: none_if_forbidden(client.whoami),
        lambda: latest_billings(connection, None),
        lambda: none_if_forbidden(client.list_teams),
    ]
    responses = run_concurrently(connection, requests)
    pods, disks, history, me, own_wallet, teams = (answer.result() for answer in responses)
    things = [*pods, *(disks or ())]
    payers = list_payers(connection, teams, things)
    of_teams = run_concurrently(
        connection, [partial(latest_billings, connection, team.team_id) for team in payers]
    )
    wallets = {team.team_id: answer.result() for team, answer in zip(payers, of_teams, strict=True)}
    rows = collect_billings(connection, {None: own_wallet, **wallets}, things)
    known = [thing.id for thing in things]
    billed_ids = spell_ids((row.resource_id for row in rows), like=known)
    billed = add_up(
        (thing_id, row.amount_usd, row.last_billed_at) for thing_id, row in zip(billed_ids, rows, strict=True)
    )
    past_ids = spell_ids((row.id for row in history), like=known)
    history = [row.model_copy(update={"id": past_id}) for past_id, row in zip(past_ids, history, strict=True)]
    seen = _AccountAnswers(pods, disks, history, billed, now)
    states = [_build_wallet_state(connection, seen, None, own_wallet)]
    states += [_build_wallet_state(connection, seen, team, wallets[team.team_id]) for team in payers]
    return Overview(me.name if me else None, tuple(states), now, teams is not None)


def _read_ended_since(connection: Connection, since: datetime) -> list[HistoryRow]:
    """Return history rows ended since a time, the newest first."""

    def reaches_back(rows: list[HistoryRow]) -> bool:
        ends = [row.terminated_at for row in rows if row.terminated_at is not None]
        # A service that ignores the sort order may list rows of this month after older ones.
        return bool(ends) and ends[-1] < since and all(map(ge, ends, ends[1:]))

    rows, _ = connection.client.all_history(until=reaches_back)
    return list({row.id or str(index): row for index, row in enumerate(rows)}.values())


def _build_wallet_state(
    connection: Connection, seen: _AccountAnswers, team: Team | None, wallet: Wallet | None
) -> WalletState:
    team_id = team.team_id if team else None

    def is_paid(thing: PodDetails | Disk | HistoryRow) -> bool:
        if team_id is not None:
            return is_same_payer(thing.team_id, team_id)
        # A pod without a team that is not mine is paid from someone else's wallet.
        return thing.team_id is None and (isinstance(thing, Disk) or connection.may_be_mine(thing))

    # Things that have ended but are not in the history yet have cost something, too.
    spent = [pod for pod in seen.pods if is_paid(pod) and pod.status != PodStatus.TERMINATED]
    spent_disks = [disk for disk in seen.disks or () if is_paid(disk) and disk.status != PodStatus.TERMINATED]
    pods = [pod for pod in spent if not has_ended(pod, seen.now)]
    disks = [disk for disk in spent_disks if not has_ended(disk, seen.now)]
    mine = [pod for pod in pods if connection.may_be_mine(pod)]
    midnight = seen.now.replace(hour=0, minute=0, second=0, microsecond=0)
    living = {*(pod.id for pod in spent), *(disk.id for disk in spent_disks)}
    rows = [row for row in seen.history if is_paid(row)]
    final_rows = [
        row for row in rows if row.id not in living or (row.terminated_at and row.total_billed_price)
    ]
    known = {row.id for row in final_rows if row.id}
    # A live thing has cost at least what its row without an end has billed.
    min_usd = {row.id: row.total_billed_price for row in rows if row.id not in known}
    spans = [_make_ended_span(row, seen.now) for row in final_rows]
    are_mine = [connection.may_be_mine(row) for row in final_rows]
    things: list[PodDetails | Disk] = [*spent, *spent_disks]
    undated = []
    for thing in things:
        if thing.id not in known:
            span = _make_live_span(thing, seen, min_usd.get(thing.id))
            if span is not None:
                spans.append(span)
                are_mine.append(connection.may_be_mine(thing))
            undated += [thing] if span is None and get_rate_usd_hr(thing) is not None else []
    my_disks = list(filter(connection.may_be_mine, disks))
    return WalletState(
        name=(team.name or team_id or "team") if team else "mine",
        team_id=team_id,
        pods=sum(pod.is_live for pod in pods),
        pods_mine=sum(pod.is_live for pod in mine),
        disks=None if seen.disks is None else len(disks),
        burn_usd_hr=burn_usd_hr([*pods, *disks], seen.now),
        burn_mine_usd_hr=burn_usd_hr([*mine, *my_disks], seen.now),
        highest_burn_usd_hr=highest_burn_usd_hr([*pods, *disks], seen.now),
        highest_burn_mine_usd_hr=highest_burn_usd_hr([*mine, *my_disks], seen.now),
        today_usd=sum(span.cost_since(midnight) for span in spans),
        month_usd=sum(span.cost_since(midnight.replace(day=1)) for span in spans),
        balance_usd=wallet.balance_usd if wallet else None,
        month_mine_usd=sum(
            span.cost_since(midnight.replace(day=1))
            for span, is_mine in zip(spans, are_mine, strict=True)
            if is_mine
        ),
        unpriced=tuple(find_unpriced(things, seen.now)),
        undated=tuple(undated),
    )


@dataclass(frozen=True)
class _Span:
    """A cost, spread evenly over a time."""

    begin: datetime
    end: datetime
    usd: float

    def cost_since(self, moment: datetime) -> float:
        length = self.end - self.begin
        if length <= timedelta(0):
            return self.usd if self.begin >= moment else 0.0
        return self.usd * max(0.0, min(1.0, (self.end - moment) / length))


def _make_ended_span(row: HistoryRow, now: datetime) -> _Span:
    end = min(now, row.terminated_at or now)
    begin = row.created_at or end
    usd = row.total_billed_price or 0.0
    if not usd and row.terminated_at is None:
        # Count as the ledger does: it goes on and is not billed yet.
        usd = (row.price_hr or 0.0) * max(0.0, (end - begin) / _HOUR)
    return _Span(begin, end, usd)


def _make_live_span(thing: PodDetails | Disk, seen: _AccountAnswers, min_usd: float | None) -> _Span | None:
    """Return what a live thing has cost, or ``None`` if that is not known."""
    end = min(seen.now, end_of(thing) or seen.now)
    billed = seen.billed.get(thing.id) if thing.id else None
    usd = cost_so_far_usd(thing, billed, seen.now)
    if min_usd:
        usd = max(min_usd, usd or 0.0)
    return None if usd is None else _Span(thing.created_at or end, end, usd)
