"""At a glance: what lives, what it costs an hour, what was spent, and how long the balance lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from operator import ge
from typing import Any

from primepods_magic.api.account import Billing, Disk, Team, Wallet
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.vocabulary import PodStatus

from .agreements import read_pods
from .allowed import if_allowed, latest_billings
from .behind import run_all_behind
from .burn import accrued_usd, burn_usd_hr, disk_burn_usd_hr, end_of, has_ended
from .connection import Connection

__all__ = ["Overview", "WalletState", "overview"]

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class WalletState:
    """One wallet, mine or a team's, and what it pays for.

    Parameters
    ----------
    name : str
        ``mine``, or the team's name.
    team_id : str, optional
        Which team's it is.
    pods, pods_mine, disks : int
        What lives and is billed to it; how many of the pods I launched. Disks are ``None``, and in no sum,
        where the key may not list them.
    burn_usd_hr, burn_mine_usd_hr : float
        What that costs an hour, in the states the pods are in: an estimate in USD.
    today_usd, month_usd : float, optional
        Spent since midnight and since the first of the month (UTC): the service's totals for what has ended,
        spread evenly over its life, and what it has billed so far, or else an estimate, for what lives.
    balance_usd : float, optional
        What there is to spend.
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

    @property
    def hours_left(self) -> float | None:
        """How long the balance lasts at this rate; ``None`` where it is not known, or nothing is spent."""
        if self.balance_usd is None or not self.burn_usd_hr:
            return None
        return max(0.0, self.balance_usd) / self.burn_usd_hr


@dataclass(frozen=True)
class Overview:
    """Who I am, and my wallets: my own first, then my teams'.

    Parameters
    ----------
    person : str, optional
        My name, where the key may say it.
    wallets : tuple of WalletState
        My own, and each team's.
    as_of : datetime
        When, by the service's clock (UTC).
    """

    person: str | None
    wallets: tuple[WalletState, ...]
    as_of: datetime


@dataclass(frozen=True)
class _Seen:
    """The answers that an overview is made of; ``None`` where the key may not ask."""

    pods: list[PodDetails]
    disks: list[Disk] | None
    history: list[HistoryRow]
    now: datetime


def overview(connection: Connection) -> Overview:
    """Look at everything at once.

    What the key may not ask for, such as wallets, is missing from the answer and no error.

    Parameters
    ----------
    connection : Connection
        Whose.

    Raises
    ------
    PodsError
        The pods or the history cannot be listed.

    Examples
    --------
    >>> overview(connect(sandbox=True)).wallets[0].balance_usd               # doctest: +SKIP
    1000.0
    """
    client, now = connection.client, connection.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    questions: list[Callable[[], Any]] = [
        partial(read_pods, connection),
        lambda: if_allowed(client.list_disks),
        lambda: _ended_since(connection, month),
        lambda: if_allowed(client.whoami),
        lambda: latest_billings(connection, None),
    ]
    asked = run_all_behind(connection, questions)
    teams = [team for team in if_allowed(client.list_teams) or [] if team.team_id]
    wallets = run_all_behind(
        connection, [partial(latest_billings, connection, team.team_id) for team in teams]
    )
    pods, disks, history, me, own_wallet = (answer.result() for answer in asked)
    seen = _Seen(pods, disks, history, now)
    rows = [_state(connection, seen, None, own_wallet)]
    rows += [_state(connection, seen, team, each.result()) for team, each in zip(teams, wallets, strict=True)]
    return Overview(me.name if me else None, tuple(rows), now)


def _ended_since(connection: Connection, since: datetime) -> list[HistoryRow]:
    """What has ended since a time, the newest first."""

    def reaches_back(rows: list[HistoryRow]) -> bool:
        ends = [row.terminated_at for row in rows if row.terminated_at is not None]
        # A service that ignores the order may list more rows of this month after old ones.
        return bool(ends) and ends[-1] < since and all(map(ge, ends, ends[1:]))

    rows, _ = connection.client.all_history(until=reaches_back)
    return list({row.id or str(place): row for place, row in enumerate(rows)}.values())


def _state(connection: Connection, seen: _Seen, team: Team | None, wallet: Wallet | None) -> WalletState:
    team_id = team.team_id if team else None

    def is_paid(thing: PodDetails | Disk | HistoryRow) -> bool:
        if team_id is not None:
            return thing.team_id == team_id
        # A pod of nobody's team that is not mine is paid from a wallet that is not mine either.
        return thing.team_id is None and (isinstance(thing, Disk) or connection.may_be_mine(thing))

    # What has ended, and is not in the history yet, has cost something all the same.
    spent = [pod for pod in seen.pods if is_paid(pod) and pod.status != PodStatus.TERMINATED]
    spent_disks = [disk for disk in seen.disks or () if is_paid(disk) and disk.status != PodStatus.TERMINATED]
    pods = [pod for pod in spent if not has_ended(pod, seen.now)]
    disks = [disk for disk in spent_disks if not has_ended(disk, seen.now)]
    mine = [pod for pod in pods if connection.may_be_mine(pod)]
    midnight = seen.now.replace(hour=0, minute=0, second=0, microsecond=0)
    living = {*(pod.id for pod in spent), *(disk.id for disk in spent_disks)}
    # While nothing is billed for it, a row of what lives tells nothing.
    told = [row for row in seen.history if is_paid(row) and (row.total_billed_price or row.id not in living)]
    known = {row.id for row in told if row.id}
    spans = [*_ended_spans(told, seen.now)]
    spans += _living_spans(
        [pod for pod in spent if pod.id not in known],
        [disk for disk in spent_disks if disk.id not in known],
        wallet.recent_billings if wallet else (),
        seen.now,
    )
    return WalletState(
        name=(team.name or team_id or "team") if team else "mine",
        team_id=team_id,
        pods=sum(pod.is_live for pod in pods),
        pods_mine=sum(pod.is_live for pod in mine),
        disks=None if seen.disks is None else len(disks),
        burn_usd_hr=burn_usd_hr(pods, seen.now) + disk_burn_usd_hr(disks, seen.now),
        burn_mine_usd_hr=burn_usd_hr(mine, seen.now),
        today_usd=sum(span.cost_since(midnight) for span in spans),
        month_usd=sum(span.cost_since(midnight.replace(day=1)) for span in spans),
        balance_usd=wallet.balance_usd if wallet else None,
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


def _ended_spans(rows: Iterable[HistoryRow], now: datetime) -> Iterable[_Span]:
    for row in rows:
        end = min(now, row.terminated_at or now)
        yield _Span(row.created_at or end, end, row.total_billed_price or 0.0)


def _living_spans(
    pods: Iterable[PodDetails], disks: Iterable[Disk], billings: Iterable[Billing], now: datetime
) -> Iterable[_Span]:
    billed = {row.resource_id: row.amount_usd for row in billings if row.amount_usd is not None}
    for pod in pods:
        end = min(now, end_of(pod) or now)
        yield _Span(pod.created_at or end, end, billed.get(pod.id, accrued_usd(pod, now)))
    for disk in disks:
        end = min(now, end_of(disk) or now)
        begin = disk.created_at or end
        estimate = (disk.price_hr or 0.0) * max(0.0, (end - begin) / _HOUR)
        yield _Span(begin, end, billed.get(disk.id, estimate))
