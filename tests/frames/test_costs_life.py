"""Costs until the end that a thing tells, and until now for what is open."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import HistoryRow, Offer, PodDetails
from primepods_magic.costs import (
    breakdown,
    compared,
    dearest,
    gpu_hour_prices,
    ledger,
    load_frame,
    rounded,
    running,
    save_frame,
    waste,
)
from primepods_magic.frames import disks_frame, history_frame, offers_frame, pods_frame
from primepods_magic.frames.tables.schema import STRING
from primepods_magic.pods.support.rates import accrued_usd

START = datetime(2026, 9, 1, tzinfo=timezone.utc)
NOW = START + timedelta(hours=100)
NEVER = [
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "2099-01-01",
]


def pods(**told: Any) -> pd.DataFrame:
    return pods_frame(
        [PodDetails.model_validate({"id": "p", "status": "ACTIVE", "priceHr": 2, **_born(told)})]
    )


def disks(**told: Any) -> pd.DataFrame:
    return disks_frame(
        [Disk.model_validate({"id": "d", "status": "UNATTACHED", "priceHr": 1, **_born(told)})]
    )


def _born(told: dict[str, Any]) -> dict[str, Any]:
    return {"createdAt": START.isoformat(), **told}


def after(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def spent(**frames: Any) -> float:
    return float(ledger(history_frame([]), now=NOW, **frames)["cost_usd"].sum())


@pytest.mark.parametrize("end", [24, 0, 99])
def test_a_thing_costs_until_the_end_that_it_tells(end: float) -> None:
    assert spent(disks=disks(terminatedAt=after(end))) == end
    assert spent(pods=pods(terminatedAt=after(end))) == 2 * end
    row = ledger(history_frame([]), pods=pods(terminatedAt=after(end)), now=NOW).iloc[0]
    assert (row["state"], row["estimated"], row["end_at"]) == ("closed", True, START + timedelta(hours=end))


@pytest.mark.parametrize("end", [*NEVER, None, after(101), after(-5)])
def test_an_end_that_is_none_ends_nothing(end: Any) -> None:
    assert spent(disks=disks(terminatedAt=end)) == 100
    assert spent(pods=pods(terminatedAt=end)) == 200
    assert ledger(history_frame([]), pods=pods(terminatedAt=end), now=NOW)["state"].tolist() == ["live"]


@pytest.mark.parametrize("begin", [*NEVER, None])
def test_a_beginning_that_is_none_is_no_long_life(begin: Any) -> None:
    assert spent(pods=pods(createdAt=begin)) == 0.0
    assert waste(
        ledger(history_frame([]), pods=pods(createdAt=begin), now=NOW), pods=pods(createdAt=begin)
    ).empty


@pytest.mark.parametrize("status", ["TERMINATED", "terminated", "DELETED", "Destroyed"])
def test_a_status_that_says_gone_costs_nothing_also_in_a_frame_from_elsewhere(status: str) -> None:
    assert spent(disks=disks().assign(status=status)) == 0.0
    assert spent(pods=pods().assign(status=status)) == 0.0


@pytest.mark.parametrize("status", ["EXITED", "ARCHIVED", "N/A", None])
def test_a_status_that_is_not_understood_goes_on_costing(status: Any) -> None:
    assert spent(disks=disks().assign(status=pd.array([status], dtype="string"))) == 100.0


@pytest.mark.parametrize("price", [-2.0, float("nan"), float("inf"), None])
def test_a_price_that_is_none_costs_nothing_and_lowers_nothing(price: Any) -> None:
    assert spent(pods=pods().assign(price_usd_hr=price)) == 0.0
    assert spent(disks=disks().assign(price_usd_hr=price)) == 0.0


@pytest.mark.parametrize("freq", [None, "H", "M"])
def test_a_cell_without_any_known_cost_is_missing(freq: str | None) -> None:
    listed = [
        PodDetails.model_validate(
            {"id": pod_id, "status": "ACTIVE", "priceHr": price, "gpuName": gpu, **_born({})}
        )
        for pod_id, price, gpu in (("p", None, "A"), ("q", 2, "A"), ("r", None, "B"))
    ]
    costs = ledger(history_frame([]), pods=pods_frame(listed), now=NOW)
    cells = breakdown(costs, "gpu", freq=freq)
    known, unknown = cells[cells["gpu"] == "A"], cells[cells["gpu"] == "B"]
    assert known["cost_usd"].sum() == pytest.approx(200)
    assert known["cost_usd"].notna().all()
    assert len(unknown) == len(known)
    assert unknown["cost_usd"].isna().all()
    assert unknown["share"].isna().all()
    if freq:
        assert len(compared(running(rounded(cells)), freq)) == len(cells)


def test_the_ledger_and_the_burn_rate_count_by_the_same_rule() -> None:
    for told in (
        {"terminatedAt": after(10)},
        {"terminatedAt": after(-1)},
        {"status": "STOPPED", "stoppedPriceHr": 0.5, "updatedAt": after(20), "terminatedAt": after(50)},
        {"status": "PROVISIONING", "provisioningPriceHr": 0},
        {"priceHr": 0, "costPerHr": 3},
    ):
        pod = PodDetails.model_validate({"id": "p", "status": "ACTIVE", "priceHr": 2, **_born(told)})
        assert spent(pods=pods_frame([pod])) == pytest.approx(accrued_usd(pod, NOW))


def test_what_has_ended_is_no_waste_of_now() -> None:
    told = {"terminatedAt": after(10)}
    stopped = {**told, "status": "STOPPED", "stoppedPriceHr": 0.5}
    for frames in ({"pods": pods(**told)}, {"pods": pods(**stopped)}, {"disks": disks(**told)}):
        costs = ledger(history_frame([]), now=NOW, **frames)
        assert waste(costs, now=NOW, **frames).empty
    alone = waste(ledger(history_frame([]), now=NOW, disks=disks()), now=NOW, disks=disks())
    assert alone["reason"].tolist() == ["attached to nothing"]


OPEN = {"id": "h", "created_at": START, "price_hr": 2.0, "total_billed_price": 0, "gpu_count": 1}


@pytest.mark.parametrize("end", [None, *NEVER])
def test_an_open_row_that_nothing_is_billed_for_costs_its_price(end: Any) -> None:
    history = history_frame([HistoryRow.model_validate({**OPEN, "terminated_at": end})], NOW)
    row = ledger(history, now=NOW).iloc[0]
    assert (row["cost_usd"], row["state"], row["estimated"], row["gpu_hours"]) == (200.0, "open", True, 100.0)
    # The pod itself knows more.
    assert float(ledger(history, pods=pods(id="h", priceHr=3), now=NOW)["cost_usd"].sum()) == 300.0


@pytest.mark.parametrize("billed", [5.0, -1.0])
def test_an_open_row_with_a_bill_costs_what_was_billed(billed: float) -> None:
    history = history_frame([HistoryRow.model_validate({**OPEN, "total_billed_price": billed})], NOW)
    assert ledger(history, now=NOW)["cost_usd"].tolist() == [billed]


@pytest.mark.parametrize("end", NEVER)
def test_a_file_of_before_in_which_never_was_an_end_is_read_as_open(end: str, tmp_path: Path) -> None:
    told = pd.Timestamp(end).to_pydatetime()
    told = told.replace(tzinfo=told.tzinfo or timezone.utc).astimezone(timezone.utc).replace(tzinfo=None)
    history = history_frame([HistoryRow.model_validate(OPEN)], NOW).assign(
        terminated_at=pd.array([told], dtype="datetime64[us]"),
        state=pd.array(["closed"], dtype=STRING),
        gpu_hours=-17_000_000.0,
    )
    history["terminated_at"] = history["terminated_at"].dt.tz_localize("UTC")
    for frame in (history, load_frame(save_frame(history, tmp_path / "old.csv"))):
        row = ledger(frame, now=NOW).iloc[0]
        assert (row["cost_usd"], row["state"]) == (200.0, "open")
        assert pd.isna(row["gpu_hours"])


def test_a_file_of_somebody_elses_may_say_nothing_in_words(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(
        "name,created_at,terminated_at,billed_usd,price_usd_hr\n"
        "a,2026-09-01T00:00:00Z,N/A,null,2\n"
        "b,Tue, 01 Sep 2026 00:00:00 GMT,-,None,-\n".replace("Tue, 01 Sep", '"Tue, 01 Sep').replace(
            "GMT", 'GMT"'
        )
        + "c,1788220800000,2026-09-01T03:00:00Z,7.5,-1\n"
    )
    frame = ledger(load_frame(path), now=NOW)
    assert frame["cost_usd"].fillna(-1.0).tolist() == [200.0, -1.0, 7.5]
    assert frame["begin_at"].tolist() == [START] * 3
    assert frame["state"].tolist() == ["open", "open", "closed"]


def test_a_time_that_cannot_be_read_is_said() -> None:
    history = pd.DataFrame({"created_at": ["soon"], "terminated_at": [None], "billed_usd": [1.0]})
    with pytest.raises(ValueError, match="Cannot read the column created_at"):
        ledger(history, now=NOW)


@pytest.mark.parametrize("stock", ["Out of Stock", "SOLD_OUT", "unavailable "])
def test_what_is_sold_out_in_other_words_is_no_price_of_today(stock: str) -> None:
    base = {"gpuType": "L4_24GB", "gpuCount": 1, "prices": {"onDemand": 1.0, "currency": "usd"}}
    offers = offers_frame([Offer.model_validate({**base, "stockStatus": stock})])
    row = {
        **OPEN,
        "gpu_name": "L4_24GB",
        "terminated_at": START + timedelta(hours=1),
        "total_billed_price": 2.0,
    }
    prices = gpu_hour_prices(history_frame([HistoryRow.model_validate(row)]), offers)
    assert prices["cheapest_usd_gpu_hr"].isna().all()
    offers["stock"] = "Low"
    prices = gpu_hour_prices(history_frame([HistoryRow.model_validate(row)]), offers)
    assert prices["cheapest_usd_gpu_hr"].tolist() == [1.0]


def test_less_than_no_pods_is_refused() -> None:
    history = history_frame([HistoryRow.model_validate(OPEN)])
    assert [len(dearest(history, n)) for n in (1, 9)] == [1, 1]
    for n in (0, -1):
        with pytest.raises(InvalidRequest, match="'n' must be a whole number"):
            dearest(history, n)
