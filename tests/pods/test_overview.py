"""At a glance: each wallet by itself, money as it is billed, and what a key may not ask for left out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from primepods_magic import launch
from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.models import PodDetails
from primepods_magic.costs import ledger, read_ledger
from primepods_magic.frames import history_frame, pods_frame
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.support.rates import accrued_usd
from tests.pods.conftest import Changing, Through
from tests.support.moving_list import client_of
from tests.support.sandbox_control import SandboxControl


def test_mine_and_each_teams_are_apart(connection: Connection, sandbox: SandboxControl) -> None:
    launch(gpu="L4_24GB", name="own")
    launch(gpu="H100_80GB", name="shared", team="team_id")
    sandbox.advance(3600)
    own, team, other = overview(connection).wallets
    assert (own.name, own.pods, own.disks, own.burn_usd_hr) == ("mine", 1, 1, pytest.approx(0.69 + 0.035))
    assert (team.name, team.pods, team.pods_mine, team.burn_mine_usd_hr) == ("Analytical Engines", 1, 1, 2.39)
    assert (other.pods, other.burn_usd_hr, other.hours_left) == (0, 0.0, None)
    assert own.balance_usd is not None
    assert own.hours_left == pytest.approx(own.balance_usd / own.burn_usd_hr)


def test_today_and_the_month_add_up_to_what_was_billed(
    connection: Connection, sandbox: SandboxControl
) -> None:
    before = overview(connection).wallets[0]
    pod = launch(gpu="H100_80GB", name="train")
    sandbox.advance(3600)
    during = overview(connection).wallets[0]
    assert before.today_usd is not None
    assert before.month_usd is not None
    assert during.month_usd is not None
    # An hour at $2.39, but for the minute before it was up, and of the disk.
    (disk,) = connection.client.list_disks()
    assert disk.price_hr
    assert during.month_usd - before.month_usd == pytest.approx(2.39 + disk.price_hr, abs=0.04)
    billed = pod.terminate().billed_usd
    after = overview(connection).wallets[0]
    assert after.today_usd is not None
    assert billed is not None
    assert after.today_usd - before.today_usd == pytest.approx(billed + disk.price_hr, abs=0.001)


def test_the_month_is_what_the_history_has_since_its_first(
    connection: Connection, sandbox: SandboxControl
) -> None:
    rows, _ = connection.client.all_history()
    first = datetime(2026, 9, 1, tzinfo=timezone.utc)
    own = [row for row in rows if row.team_id is None and row.terminated_at and row.terminated_at > first]
    expected = 0.0
    for row in own:
        assert row.created_at
        assert row.terminated_at
        assert row.total_billed_price is not None
        part = (row.terminated_at - max(first, row.created_at)) / (row.terminated_at - row.created_at)
        expected += row.total_billed_price * part
    assert len(own) > 3
    (disk,) = connection.client.list_disks()
    assert disk.price_hr
    expected += disk.price_hr * ((connection.now() - first) / timedelta(hours=1))
    assert overview(connection).wallets[0].month_usd == pytest.approx(expected, abs=0.01)


def _with_history(row: dict[str, Any]) -> Changing:
    """The network to a sandbox whose history begins with this row."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/history"):
            return response
        body = response.json()
        return httpx.Response(200, json={**body, "data": [row, *body["data"]]}, request=request)

    return Changing(change)


@pytest.mark.parametrize("billed", [50.0, 0.0])
def test_what_lives_and_is_in_the_history_counts_once(
    connection: Connection, through: Through, sandbox: SandboxControl, billed: float
) -> None:
    pod = launch(gpu="H100_80GB", name="train")
    sandbox.advance(3600)
    before = overview(connection).wallets[0].month_usd
    row = {"id": pod.id, "name": "train", "type": "Instance", "createdAt": "2026-09-14T08:00:00Z"}
    row |= {"userId": connection.user_id, "totalBilledPrice": billed}
    changed = through(_with_history(row))
    # From its first answer on it has the service's time.
    assert changed.user_id
    after = overview(changed).wallets[0].month_usd
    assert before is not None
    assert after is not None
    # Its bill takes the place of the estimate; while there is none, the estimate stays.
    assert after - before == pytest.approx(billed - 2.35 if billed else 0.0, abs=0.05)


def test_a_stopped_pod_has_cost_its_running_price_before() -> None:
    pod = PodDetails(
        status="STOPPED",
        price_hr=2.0,
        stopped_price_hr=0.1,
        created_at="2026-09-01T00:00:00Z",
        updated_at="2026-09-14T00:00:00Z",
    )
    now = datetime(2026, 9, 15, tzinfo=timezone.utc)
    assert accrued_usd(pod, now) == pytest.approx(13 * 24 * 2.0 + 24 * 0.1)
    # The ledger counts by the same rule.
    nothing = history_frame([])
    assert ledger(nothing, pods=pods_frame([pod]), now=now)["cost_usd"].sum() == pytest.approx(
        accrued_usd(pod, now)
    )


def test_a_team_without_an_id_is_no_wallet_of_its_own(connection: Connection, through: Through) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/user/teams"):
            return response
        body = response.json()
        rows = [{"name": "nameless"}, *body["data"]]
        return httpx.Response(200, json={**body, "data": rows, "total_count": len(rows)}, request=request)

    changed = through(Changing(change))
    assert [wallet.name for wallet in overview(changed).wallets] == [
        wallet.name for wallet in overview(connection).wallets
    ]
    assert read_ledger(changed)["cost_usd"].sum() == read_ledger(connection)["cost_usd"].sum()


def test_what_a_key_may_not_ask_is_missing_and_no_error(through: Through) -> None:
    def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        hidden = ("/billing/wallet", "/user/teams", "/disks/", "/user/whoami")
        if request.url.path.endswith(hidden):
            return httpx.Response(403, json={"detail": "no"}, request=request)
        return response

    seen = overview(through(Changing(refuse)))
    assert seen.person is None
    (own,) = seen.wallets
    assert (own.balance_usd, own.hours_left, own.disks) == (None, None, None)


@pytest.mark.parametrize("big", [0, 100_000], ids=["small rows", "big rows"])
def test_a_history_that_never_ends_is_given_up(big: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/history"):
            return httpx.Response(200 if request.url.path.endswith("/pods/") else 403, json={"data": []})
        asked.append(str(request.url))
        rows = [{"id": f"{len(asked)}-{number}", "x": "x" * big} for number in range(1000)]
        return httpx.Response(200, json={"data": rows[: 100 if big else 1000], "total_count": 10**9})

    with client_of(httpx.MockTransport(answer)) as client:
        connection = Connection(client, ServiceClock(client.session), False)
        with pytest.raises(UnexpectedAnswer, match="does not end"):
            overview(connection)
    assert len(asked) == (8 if big else 101)


@pytest.mark.parametrize("order", ["newest", "oldest", "mixed"])
def test_the_month_is_whole_in_whatever_order_the_history_comes(order: str) -> None:
    now = datetime(2026, 9, 14, 8, tzinfo=timezone.utc)
    ends = [now - timedelta(hours=hour) for hour in range(5)]
    ends += [now - timedelta(days=60, hours=hour) for hour in range(350)]
    if order == "oldest":
        ends.reverse()
    elif order == "mixed":
        ends.insert(50, ends.pop(0))
    rows = [
        {
            "id": f"pod-{number}",
            "createdAt": (end - timedelta(minutes=30)).isoformat(),
            "terminatedAt": end.isoformat(),
            "totalBilledPrice": 10.0,
        }
        for number, end in enumerate(ends)
    ]
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        date = {"Date": format_datetime(now, usegmt=True)}
        if not request.url.path.endswith("/history"):
            is_list = request.url.path.endswith("/pods/")
            return httpx.Response(200 if is_list else 403, json={"data": []}, headers=date)
        asked.append(offset := int(request.url.params["offset"]))
        page = {"data": rows[offset : offset + 100], "total_count": len(rows)}
        return httpx.Response(200, json=page, headers=date)

    with client_of(httpx.MockTransport(answer)) as client:
        connection = Connection(client, ServiceClock(client.session), False)
        client.list_all_pods()
        assert overview(connection).wallets[0].month_usd == 50.0
    assert asked == ([0] if order == "newest" else [0, 100, 200, 300])
