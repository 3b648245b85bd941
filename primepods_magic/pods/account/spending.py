"""Everything that was or is paid for, as returned by the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from primepods_magic.api.account import Billing, Team
from primepods_magic.api.disks import Disk
from primepods_magic.api.models import PodDetails
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.history import History, read_history
from primepods_magic.pods.history.pages import Progress
from primepods_magic.pods.support.background import run_concurrently
from primepods_magic.pods.unlisted import read_shown

from .billings import collect_billings, latest_billings
from .permissions import none_if_forbidden
from .teams import list_payers

__all__ = ["Spending", "read_spending"]


@dataclass(frozen=True)
class Spending:
    """Responses that costs are computed from; empty if the key may not ask.

    `billings` are those of all wallets for what is live. Without `may_list_disks`, disks are not counted.
    """

    history: History
    pods: list[PodDetails]
    disks: list[Disk]
    billings: list[Billing]
    teams: list[Team]
    now: datetime
    may_list_disks: bool = True


def read_spending(
    connection: Connection, *, refresh: bool = False, progress: Progress | None = None
) -> Spending:
    """Fetch everything concurrently; `refresh` and `progress` as in `read_history`.

    Raises PodsError if something cannot be read, except for want of a permission.

    >>> len(read_spending(connect(sandbox=True)).pods)                       # doctest: +SKIP
    2
    """
    check_flags(refresh=refresh)
    client = connection.client
    requests: list[Callable[[], Any]] = [
        partial(read_shown, connection),
        lambda: none_if_forbidden(client.list_disks),
        lambda: none_if_forbidden(client.list_teams),
        lambda: latest_billings(connection, None),
    ]
    responses = run_concurrently(connection, requests)
    # A pod that ends meanwhile is then in the history too, and counted once, by its id.
    pods, disks, teams, own_wallet = (answer.result() for answer in responses)
    things = [*pods, *(disks or ())]
    payers = [team.team_id for team in list_payers(connection, teams, things)]
    of_teams = run_concurrently(connection, [partial(latest_billings, connection, payer) for payer in payers])
    history = read_history(connection, refresh=refresh, progress=progress)
    wallets = {payer: answer.result() for payer, answer in zip(payers, of_teams, strict=True)}
    billings = collect_billings(connection, {None: own_wallet, **wallets}, things)
    return Spending(history, pods, disks or [], billings, teams or [], history.now, disks is not None)
