"""A budget for the month refuses what would pass it, warns before, and can end a pod."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic import Limits, create_disk, launch
from primepods_magic.api.errors import BudgetExceeded, InvalidRequest
from primepods_magic.pods.account.budgets import BUDGET_FILE, find_budgets
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.arming import read_endings
from primepods_magic.pods.launching.carry_out import carry_out
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.launching.plan import LaunchPlan
from primepods_magic.pods.pod import Pod
from tests.pods.conftest import Changing, Through
from tests.remote.guards.conftest import Guarded
from tests.remote.guards.conftest import guarded as guarded
from tests.remote.guards.conftest import open_account as open_account


def rent(connection: Connection, told: list[str], max_month_usd: float, **fields: Any) -> Pod:
    limits = Limits(max_month_usd=max_month_usd)
    fields = {"gpu": "L4_24GB", "name": "train", **fields}
    return launch(limits=limits, tell=told.append, connection=connection, **fields)


def test_a_launch_that_would_pass_the_budget_is_refused(connection: Connection) -> None:
    spent_usd = find_budgets(connection, 1000)[0].spent_usd
    assert spent_usd > 0
    told: list[str] = []
    # A day of it costs about $17, and two hours about $1.40.
    with pytest.raises(
        BudgetExceeded, match=r"max_month_usd.*tomorrow.*above the budget\. Nothing was created"
    ):
        rent(connection, told, spent_usd + 10)
    assert connection.client.list_all_pods() == []
    rent(connection, told, spent_usd + 10, run_for="2h")
    assert [text for text in told if "of the budget" in text and "by their end" in text]


def test_launches_at_one_time_share_what_is_left(connection: Connection, through: Through) -> None:
    def plan(name: str, on: Connection) -> list[LaunchPlan]:
        return plan_many(on, [{"gpu": "L4_24GB", "name": name}], limits=limits, tell=print)

    def race(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            other.start()
            other.join(0.5)
        return response

    def rent_other() -> None:
        with pytest.raises(BudgetExceeded, match="Nothing was created"):
            carry_out(connection, planned, tell=print)
        refused.append(True)

    # Enough for the day of one pod, about $17.
    limits = Limits(max_month_usd=find_budgets(connection, 1000)[0].spent_usd + 20)
    planned, refused = plan("second", connection), []
    other = threading.Thread(target=rent_other)
    racing = through(Changing(race))
    carry_out(racing, plan("first", racing), tell=print)
    other.join()
    assert refused
    assert [pod.name for pod in connection.client.list_all_pods()] == ["first"]


def test_what_my_disks_will_cost_counts_as_well(connection: Connection) -> None:
    before = find_budgets(connection, 1000)[0]
    disk = create_disk("corpus", 10_000, connection=connection, tell=lambda _: None)
    after = find_budgets(connection, 1000)[0]
    assert disk.price_hr is not None
    assert after.burn_usd_hr - before.burn_usd_hr == pytest.approx(disk.price_hr)
    assert before.burn_usd_hr > 0, "the disk of the seeded account"


def test_ids_of_teams_that_are_spelled_in_two_ways_are_one_wallet(
    connection: Connection, through: Through, home: Path
) -> None:
    team = connection.client.list_teams()[0]
    rent(connection, [], 100_000, team=team.team_id)

    def spell(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/teams" in request.url.path:
            return response
        content = response.content.replace(str(team.team_id).encode(), str(team.team_id).upper().encode())
        return httpx.Response(response.status_code, content=content, request=request)

    other = through(Changing(spell))
    plain, spelled = overview(connection).wallets, overview(other).wallets
    assert [wallet.name for wallet in spelled] == [wallet.name for wallet in plain]
    assert [wallet.burn_usd_hr for wallet in spelled] == [wallet.burn_usd_hr for wallet in plain]
    write_budgets(home, f"{team.name}: 0.01\n")
    with pytest.raises(BudgetExceeded, match=team.name):
        rent(other, [], 100_000, name="other", team=str(team.team_id).upper())


def test_a_launch_far_below_the_budget_says_nothing(connection: Connection) -> None:
    told: list[str] = []
    rent(connection, told, 100_000)
    assert told == []


def write_budgets(home: Path, text: str) -> None:
    path = home / ".config" / "primepods_magic" / BUDGET_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_team_and_a_person_have_budgets_in_a_file(connection: Connection, home: Path) -> None:
    me, wallets = connection.client.whoami(), overview(connection).wallets
    team = wallets[1].name
    write_budgets(
        home, f"budgets:\n  {team.upper()}: 300\n  {me.email}: 500\n  x@example.com: 1\n  mine: 200\n"
    )
    found = {budget.name: budget for budget in find_budgets(connection)}
    assert set(found) == {team.upper(), me.email, "mine"}
    assert found["mine"].spent_usd == wallets[0].month_usd
    assert found[team.upper()].spent_usd == wallets[1].month_usd
    assert found[str(me.email)].spent_usd == pytest.approx(sum(each.month_mine_usd or 0 for each in wallets))
    write_budgets(home, f"{team}: 0.01\nmine: 100000\n")
    rent(connection, [], 100_000)
    with pytest.raises(BudgetExceeded, match=team):
        rent(connection, [], 100_000, name="other", team=wallets[1].team_id)


@pytest.mark.parametrize(
    "text",
    ["mine: -1", "mine: .nan", "mine: lots", "- 5", "mine: {a: 1}", "mine: 1\n  x: [", "mine: true", "\0"],
)
def test_a_file_without_sense_is_refused_before_anything_is_rented(
    connection: Connection, home: Path, text: str
) -> None:
    write_budgets(home, text)
    with pytest.raises(InvalidRequest, match=r"budgets.*Nothing was sent"):
        launch(gpu="L4_24GB", name="train", connection=connection, tell=lambda _: None)
    assert connection.client.list_all_pods() == []


def test_a_budget_that_is_spent_ends_a_pod(guarded: Guarded) -> None:
    pod = guarded.launch()
    spent_usd = find_budgets(guarded.connection, 1000)[0].spent_usd
    pod.guard(max_month_usd=spent_usd + 5)
    guarded.advance(3600)
    assert guarded.is_live(pod)
    guarded.advance(8 * 3600)
    guarded.await_end(pod)
    (ending,) = read_endings(guarded.connection)
    assert ending.rule == "budget"


@pytest.mark.parametrize("amount", [float("nan"), -1, "5"])
def test_a_budget_is_an_amount(amount: Any) -> None:
    with pytest.raises(InvalidRequest, match="max_month_usd must be a number of USD, such"):
        Limits(max_month_usd=amount)


def test_the_overview_shows_the_budget(shell: Any) -> None:
    shell.run("%config PodsMagics.max_month_usd = 500")
    shell.run("%pods")
    assert " of $500.00 this month (max_month_usd)" in shell.output.text
