"""What lives has cost what was billed and what accrued since, in ``%pods`` and in ``%pods costs`` alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.disks import Disk
from primepods_magic.api.models import PodDetails
from primepods_magic.costs import read_ledger
from primepods_magic.pods.account.billings import Billed, collect_billings, cost_so_far_usd
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.clock import ServiceClock
from tests.support.moving_list import client_of

NOW = datetime(2026, 9, 14, 20, tzinfo=timezone.utc)


def ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def pod(hours: float = 20, **told: Any) -> dict[str, Any]:
    """A live pod, so many hours old."""
    return {"id": "p", "name": "train", "userId": "ada", "status": "ACTIVE", "priceHr": 2.0} | {
        "createdAt": ago(hours),
        **told,
    }


class Account(httpx.BaseTransport):
    """A service with one account, whose answers are attributes.

    Attributes
    ----------
    pods, disks, history, billings : list of dict
        What is listed.
    teams : list of dict or None
        My teams; ``None`` where the key may not list them.
    total : int or None
        How many billings are said to be there.
    asked : list of tuple
        Team and offset of every request for billings.
    """

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods, self.disks, self.history = list(pods), list[dict[str, Any]](), list[dict[str, Any]]()
        self.billings: list[dict[str, Any]] = []
        self.teams: list[dict[str, Any]] | None = []
        self.total: int | None = None
        self.moves = False
        self.asked: list[tuple[str | None, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, request.url.params
        offset, limit = int(params.get("offset", 0)), int(params.get("limit", 100))
        headers = {"Date": format_datetime(NOW, usegmt=True)}
        if path.endswith("/whoami"):
            return httpx.Response(200, json={"data": {"id": "ada", "name": "Ada"}}, headers=headers)
        if path.endswith("/wallet"):
            self.asked.append((params.get("teamId"), offset))
            if self.moves:
                self.billings.insert(0, self.billings.pop())
            rows = [] if params.get("teamId") else self.billings[offset : offset + limit]
            body = {"balance_usd": 100.0, "recent_billings": rows, "total_billings": self.total}
            return httpx.Response(200, json=body, headers=headers)
        if path.endswith("/teams") and self.teams is None:
            return httpx.Response(403, json={"detail": "no"}, headers=headers)
        lists = {"/pods/": self.pods, "/disks/": self.disks, "/history": self.history}
        lists["/teams"] = self.teams or []
        (rows,) = (rows for end, rows in lists.items() if path.endswith(end))
        page = {"data": rows[offset : offset + limit], "total_count": len(rows)}
        return httpx.Response(200, json=page, headers=headers)


@contextmanager
def connected(account: Account) -> Iterator[Connection]:
    with client_of(account) as client:
        client.whoami()
        yield Connection(client, ServiceClock(client.session), False)


def costs(account: Account) -> tuple[float, float]:
    """Of all that lives: today, and in the ledger."""
    with connected(account) as connection:
        today = sum(wallet.today_usd or 0.0 for wallet in overview(connection).wallets)
        return round(today, 2), round(float(read_ledger(connection)["cost_usd"].sum()), 2)


def billing(usd: float | None, billed: float | None = None, **told: Any) -> dict[str, Any]:
    last = None if billed is None else ago(billed)
    return {"resource_id": "p", "amount_usd": usd, "last_billed_at": last, "updated_at": ago(0), **told}


@pytest.mark.parametrize(
    ("billings", "cost"),
    [
        ([], 40.0),
        ([billing(0.0)], 40.0),
        ([billing(0.0, 0)], 40.0),
        ([billing(None)], 40.0),
        ([billing(0.02, 19)], 38.02),
        ([billing(35.0, 0)], 35.0),
        ([billing(38.0, 0, id="a"), billing(1.0, 15, id="b")], 39.0),
        ([billing(1.0, 15, id="b"), billing(30.0, 4, id="a"), billing(0.0, id="c")], 39.0),
        ([billing(0.02)], 40.0),
        ([billing(45.0)], 45.0),
        ([billing(35.0, -30)], 35.0),
        ([billing(-1.0, 0)], 40.0),
        ([billing(45.0, 0, id="a"), billing(-5.0, 0, id="b")], 40.0),
        ([billing(45.0, 0, currency="usd")], 45.0),
        ([billing(45.0, 0, currency="EUR")], 40.0),
        ([billing(45.0, 0, id="a"), billing(9.0, 0, id="b", currency="EUR")], 40.0),
    ],
)
def test_what_accrued_since_the_last_bill_is_added(billings: list[dict[str, Any]], cost: float) -> None:
    account = Account(pod())
    account.billings = billings
    assert costs(account) == (cost, cost)


def test_disks_are_billed_late_as_well() -> None:
    account = Account()
    disk = {"id": "p", "userId": "ada", "status": "UNATTACHED", "priceHr": 0.5, "createdAt": ago(20)}
    account.disks, account.billings = [disk], [billing(0.1, 19)]
    assert costs(account) == (9.6, 9.6)


def test_a_stopped_pod_accrues_its_price_in_each_state_since_it_was_billed() -> None:
    stopped = PodDetails.model_validate(pod(status="STOPPED", stoppedPriceHr=0.5, updatedAt=ago(4)))
    for hours, cost in ((6, 10 + 2 * 2 + 4 * 0.5), (3, 10 + 3 * 0.5)):
        billed = Billed(10.0, NOW - timedelta(hours=hours))
        assert cost_so_far_usd(stopped, billed, NOW) == pytest.approx(cost)


@pytest.mark.parametrize(("total", "cost"), [(0.02, 40.0), (50.0, 50.0), (0.0, 40.0)])
def test_an_open_row_of_the_history_is_the_least_that_its_pod_has_cost(total: float, cost: float) -> None:
    account = Account(pod())
    account.history = [{"id": "p", "userId": "ada", "createdAt": ago(20), "totalBilledPrice": total}]
    assert costs(account) == (cost, cost)


@pytest.mark.parametrize(("total", "cost"), [(0.0, 40.0), (None, 40.0), (12.0, 12.0)])
def test_counts_a_live_pod_whose_row_states_an_end_and_bills_nothing(
    total: float | None, cost: float
) -> None:
    account = Account(pod())
    row = {"id": "p", "userId": "ada", "createdAt": ago(20), "terminatedAt": ago(10), "priceHr": 2.0}
    account.history = [{**row, "totalBilledPrice": total}]
    assert costs(account) == (cost, cost)
    with connected(account) as connection:
        ledger = read_ledger(connection)
    assert (ledger["state"].tolist(), ledger["estimated"].tolist()) == (
        (["closed"], [False]) if total else (["live"], [True])
    )


def test_an_open_row_that_bills_nothing_and_whose_pod_is_not_listed_costs_its_price() -> None:
    account = Account()
    account.history = [{"id": "p", "userId": "ada", "createdAt": ago(20), "priceHr": 2.0}]
    assert costs(account) == (40.0, 40.0)


@pytest.mark.parametrize("total", [None, 200, 100])
def test_all_billings_of_a_pod_are_read(total: int | None) -> None:
    account = Account(pod(hours=19, priceHr=20.0))
    hourly = [billing(2.0, number / 10, id=f"b{number}") for number in range(190)]
    account.billings, account.total = hourly, total
    assert costs(account) == (380.0, 380.0)


@pytest.mark.parametrize("is_seen", [True, False])
def test_no_more_is_read_than_is_needed(is_seen: bool) -> None:
    # One row for each of what has ended; the pod has one among them, or is younger than the oldest of them.
    account = Account(pod(hours=19 if is_seen else 1))
    account.billings = [
        billing(1.0, 2 + number, id=f"b{number}", resource_id=f"o{number}") for number in range(300)
    ]
    account.total = 300
    if is_seen:
        account.billings.insert(0, billing(30.0, 0, id="mine"))
    assert costs(account) == ((30.0, 30.0) if is_seen else (2.0, 2.0))
    assert account.asked == [(None, 0), (None, 0)]


@pytest.mark.parametrize("reason", ["too many", "moving"])
def test_billings_that_cannot_all_be_read_give_way_to_an_estimate(reason: str) -> None:
    account = Account(pod(hours=19))
    count = 1500 if reason == "too many" else 150
    account.billings = [billing(0.01, number / 1000, id=f"b{number}") for number in range(count)]
    account.total, account.moves = count, reason == "moving"
    assert costs(account) == (38.0, 38.0)
    assert len(account.asked) < 120


def test_a_pod_younger_than_what_was_read_keeps_its_billings() -> None:
    account = Account()
    rows = [billing(0.01, number / 100, id=f"b{number}") for number in range(1500)]
    rows[3]["resource_id"] = rows[7]["resource_id"] = "young"
    account.billings, account.total = rows, 1500
    things = [
        PodDetails.model_validate(pod(hours=400)),
        PodDetails.model_validate(pod(hours=5, id="young")),
        Disk(id="p", team_id="other"),
    ]
    with connected(account) as connection:
        first = Wallet(recent_billings=[Billing(**row) for row in rows[:100]], total_billings=1500)
        billings = collect_billings(connection, {None: first, "other": None}, things)
    assert [row.id for row in billings] == ["b3", "b7"]


@pytest.mark.parametrize("teams", [None, []], ids=["forbidden", "empty"])
def test_a_team_that_my_pods_name_has_a_row(teams: list[dict[str, Any]] | None) -> None:
    account = Account(
        pod(teamId="t1"),
        pod(id="q", userId="eve", teamId="t2"),
        pod(id="r", teamId="t3", status="TERMINATED"),
    )
    account.disks = [{"id": "d", "userId": "ada", "teamId": "t4", "priceHr": 0.5, "createdAt": ago(2)}]
    account.teams = teams
    with connected(account) as connection:
        seen = overview(connection)
    assert [(wallet.name, wallet.pods_mine, wallet.burn_usd_hr) for wallet in seen.wallets] == [
        ("mine", 0, 0.0),
        ("t1", 1, 2.0),
        ("t4", 0, 0.5),
    ]
    assert seen.may_list_teams == (teams is not None)
    assert seen.wallets[1].today_usd == pytest.approx(40.0)


def test_a_team_that_is_listed_and_named_by_a_pod_has_one_row() -> None:
    account = Account(pod(teamId="t1"))
    account.teams = [{"teamId": "t1", "name": "Engines"}]
    with connected(account) as connection:
        assert [wallet.name for wallet in overview(connection).wallets] == ["mine", "Engines"]


def test_the_wallets_of_teams_that_only_pods_name_count_in_the_ledger() -> None:
    account = Account(pod(teamId="t1"))
    account.teams = None
    costs(account)
    assert ("t1", 0) in account.asked
