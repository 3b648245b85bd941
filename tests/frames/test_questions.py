"""What people ask about costs: numbers that were worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primepods_magic.costs.ledgers import ledger
from primepods_magic.costs.reports import dearest, gpu_hour_prices, last_month, month, spot_savings
from primepods_magic.costs.unused import waste
from primepods_magic.frames import (
    cells_frame,
    disks_frame,
    history_frame,
    load_frame,
    offers_frame,
    overview_frame,
    pods_frame,
    save_frame,
)
from primepods_magic.remote.cells import CellRecord

UTC = timezone.utc
NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
DTYPES = {"string", "Int64", "Float64", "boolean", "datetime64[us, UTC]"}


def costs(*rows: dict[str, Any], **more: Any) -> pd.DataFrame:
    """A ledger of a history with these rows."""
    columns = """id name gpu gpu_count created_at terminated_at billed_usd gpu_hours provisioned_by provider
        type""".split()
    frame = pd.DataFrame(list(rows), columns=columns)
    for name in ("created_at", "terminated_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return ledger(frame, now=NOW, **more)


def pod(name: str, begin: str, end: str, usd: float, **more: Any) -> dict[str, Any]:
    length = pd.Timestamp(end) - pd.Timestamp(begin)
    count = more.get("gpu_count", 1)
    return {
        "id": f"id-{name}",
        "name": name,
        "gpu": "H100_80GB",
        "gpu_count": count,
        "created_at": begin,
        "terminated_at": end,
        "billed_usd": usd,
        "gpu_hours": count * (length / pd.Timedelta(hours=1)),
        "provisioned_by": "Ada",
        "type": "Instance",
        **more,
    }


def offer(gpu: str, price: float, **more: Any) -> dict[str, Any]:
    count = more.get("gpu_count", 1)
    return {
        "gpu": gpu,
        "gpu_count": count,
        "price_hr": price * count,
        "price_gpu_hr": price,
        "currency": "USD",
        "is_spot": False,
        "stock": "High",
        "provider": f"at-{price}",
        **more,
    }


def dtypes(frame: pd.DataFrame) -> set[str]:
    return {"string" if dtype == "string" else str(dtype) for dtype in frame.dtypes}


def test_last_month_counts_what_lies_in_it() -> None:
    # 48 h for 48 USD, of which 24 h are in August and 24 h in September.
    df = last_month(
        costs(
            pod("over", "2026-08-31T00:00Z", "2026-09-02T00:00Z", 48.0),
            pod("before", "2026-07-01T00:00Z", "2026-07-02T00:00Z", 5.0),
            pod("in", "2026-08-03T00:00Z", "2026-08-03T10:00Z", 30.0, provisioned_by="Bob"),
        ),
        now=NOW,
    )
    assert df[["provisioned_by", "gpu", "cost_usd"]].to_dict("records") == [
        {"provisioned_by": "Bob", "gpu": "H100_80GB", "cost_usd": 30.0},
        {"provisioned_by": "Ada", "gpu": "H100_80GB", "cost_usd": 24.0},
    ]


def test_last_month_is_the_calendars_where_one_is() -> None:
    # The month begins at 22:00 UTC in Berlin's summer, and in January the last one is December.
    frame = costs(pod("late", "2026-08-31T20:00Z", "2026-09-01T00:00Z", 4.0))
    assert last_month(frame, NOW, "UTC", ())["cost_usd"].sum() == pytest.approx(4.0)
    assert last_month(frame, NOW, "Europe/Berlin", ())["cost_usd"].sum() == pytest.approx(2.0)
    december = costs(pod("xmas", "2025-12-25T00:00Z", "2025-12-25T02:00Z", 3.0))
    assert last_month(december, datetime(2026, 1, 5), by="gpu".split())["cost_usd"].tolist() == [3.0]


def test_prices_are_costs_by_gpu_hours_against_the_cheapest_offer_that_can_be_had() -> None:
    frame = costs(
        pod("a", "2026-09-01T00:00Z", "2026-09-01T10:00Z", 60.0, gpu_count=2),
        pod("b", "2026-09-02T00:00Z", "2026-09-02T05:00Z", 5.0),
        pod("unbilled", "2026-09-02T00:00Z", "2026-09-02T05:00Z", 9.0, gpu="L4_24GB"),
        pod("disk", "2026-09-01T00:00Z", "2026-09-11T00:00Z", 999.0, type="Disk", gpu=None),
    )
    offers = pd.DataFrame(
        [
            offer("H100_80GB", 2.0),
            offer("H100_80GB", 2.5),
            offer("H100_80GB", 0.5, stock="Unavailable"),
            offer("H100_80GB", 0.6, currency="EUR"),
            offer("H100_80GB", 0.7, is_spot=True),
        ]
    )
    df = gpu_hour_prices(frame, offers)
    # 65 USD for 2 × 10 + 5 GPU hours.
    assert df.iloc[0].to_dict() == {
        "gpu": "H100_80GB",
        "gpu_hours": 25.0,
        "cost_usd": 65.0,
        "paid_usd_gpu_hr": 2.6,
        "cheapest_usd_gpu_hr": 2.0,
        "cheapest_provider": "at-2.0",
        "difference": pytest.approx(0.3),
    }
    assert df["gpu"].tolist() == ["H100_80GB", "L4_24GB"]
    assert pd.isna(df["cheapest_usd_gpu_hr"][1])
    assert pd.isna(df["difference"][1])


def test_spot_savings_are_the_same_hours_at_todays_price() -> None:
    frame = costs(
        pod("a", "2026-09-01T00:00Z", "2026-09-01T10:00Z", 25.0),
        pod("b", "2026-09-01T00:00Z", "2026-09-01T10:00Z", 2.0, gpu="L4_24GB"),
    )
    frame["is_spot"] = pd.array([None, True], dtype="boolean")
    offers = pd.DataFrame([offer("H100_80GB", 2.0), offer("H100_80GB", 1.0, is_spot=True)])
    df = spot_savings(frame, offers)
    assert df.iloc[0].to_dict() == {
        "gpu": "H100_80GB",
        "gpu_hours": 10.0,
        "spot_gpu_hours": 0.0,
        "cost_usd": 25.0,
        "paid_usd_gpu_hr": 2.5,
        "on_demand_usd_gpu_hr": 2.0,
        "spot_usd_gpu_hr": 1.0,
        "spot_cost_usd": 10.0,
        "saving_usd": 15.0,
    }
    assert df["spot_gpu_hours"].tolist() == [0.0, 10.0]
    assert pd.isna(df["saving_usd"][1])


PODS = pd.DataFrame(
    {
        "id": ["bad", "broken", "slow", "young", "idle", "good", "gone"],
        "name": ["bad", "broken", "slow", "young", "idle", "good", "gone"],
        "status": ["ERROR", "ACTIVE", "PROVISIONING", "PENDING", "STOPPED", "ACTIVE", "TERMINATED"],
        "installation_status": [None, "FAILED", None, None, "COMPLETE", "COMPLETE", "FAILED"],
        "installation_failure": [None, "no space left", None, None, None, None, None],
        "gpu": ["H100_80GB"] * 7,
        "gpu_count": [1] * 7,
        "price_usd_hr": [2.0] * 7,
        "stopped_price_usd_hr": [0.1] * 7,
        "created_at": pd.to_datetime(
            [
                "2026-09-14T06:00Z",
                "2026-09-14T11:00Z",
                "2026-09-14T11:15Z",
                "2026-09-14T11:50Z",
                "2026-09-14T02:00Z",
                "2026-09-14T02:00Z",
                "2026-09-14T02:00Z",
            ]
        ).as_unit("us"),
    }
)


def test_waste_has_a_line_for_each_thing_with_its_first_reason() -> None:
    disks = pd.DataFrame(
        {
            "id": ["d1", "d2"],
            "name": ["alone", "used"],
            "status": ["ACTIVE", "ACTIVE"],
            "price_usd_hr": [0.5, 0.5],
            "pods": pd.array([None, "train"], dtype="string"),
            "created_at": pd.to_datetime(["2026-09-14T08:00Z"] * 2).as_unit("us"),
        }
    )
    frame = costs(
        pod("blink", "2026-09-01T00:00Z", "2026-09-01T00:06Z", 0.25),
        pod("free", "2026-09-01T00:00Z", "2026-09-01T00:06Z", 0.0),
        pod("forgotten", "2026-09-01T00:00Z", "2026-09-05T06:00Z", 250.0),
        pod("fine", "2026-09-01T00:00Z", "2026-09-01T06:00Z", 12.0),
        pods=PODS,
        disks=disks,
    )
    df = waste(frame, pods=PODS, disks=disks, now=NOW)
    found = {row["name"]: (row["reason"], row["detail"]) for row in df.to_dict("records")}
    assert found == {
        "forgotten": ("ran for days", "ran for 4 d 6 h"),
        "bad": ("failed, and billed", "ERROR"),
        "broken": ("failed, and billed", "installation FAILED: no space left"),
        "slow": ("never ready", "45 min old, PROVISIONING"),
        "idle": ("stopped, and billed", "$0.10/h while stopped"),
        "alone": ("attached to nothing", "$0.50/h"),
        "blink": ("ended within minutes", "ended after 6 min"),
    }
    usd = dict(zip(df["name"], df["cost_usd"], strict=True))
    assert usd["forgotten"] == 250.0
    assert usd["bad"] == 12.0  # 6 h at 2 USD
    assert usd["alone"] == 2.0  # 4 h at 0.50 USD
    assert df["cost_usd"].is_monotonic_decreasing


def test_waste_without_a_ledger_of_what_lives_takes_its_price() -> None:
    df = waste(costs(), pods=PODS.iloc[:1], now=NOW)
    assert df["cost_usd"].tolist() == [12.0]
    assert df["since_at"].tolist() == [pd.Timestamp("2026-09-14T06:00Z")]


def test_waste_counts_the_running_price_until_a_pod_stopped() -> None:
    pods = PODS.assign(updated_at=pd.Timestamp("2026-09-14T10:00Z"))
    idle = pods[pods["name"] == "idle"].assign(created_at=pd.Timestamp("2026-09-14T02:00Z"), price_usd_hr=2.0)
    df = waste(costs(), pods=idle, now=NOW)
    assert df["cost_usd"].tolist() == [pytest.approx(8 * 2.0 + 2 * 0.1)]
    assert df["cost_usd"].tolist() == ledger(costs(), pods=idle, now=NOW)["cost_usd"].tolist()


def test_waste_of_an_unknown_price_is_unknown() -> None:
    bad = PODS.iloc[:1].assign(price_usd_hr=pd.array([None], dtype="Float64"))
    assert waste(costs(), pods=bad, now=NOW)["cost_usd"].tolist() == [pd.NA]


def cell(pod: str, idle_h: float | None, ran_h: float, use: float | None = None, **more: Any) -> CellRecord:
    idle_s = None if idle_h is None else idle_h * 3600
    usd = None if idle_h is None else idle_h * 2
    record = CellRecord(NOW, pod, f"id-{pod}", "main", "job", "x", "ok", ran_h * 3600)
    return replace(record, **{"gpu_mean_pct": use, "idle_s": idle_s, "idle_usd": usd, **more})


CELL_COSTS = costs(
    pod("waits", "2026-09-01T00:00Z", "2026-09-01T16:00Z", 32.0),
    pod("works", "2026-09-01T00:00Z", "2026-09-01T16:00Z", 32.0),
    pod("short", "2026-09-01T00:00Z", "2026-09-01T01:30Z", 3.0),
    pod("other", "2026-09-01T00:00Z", "2026-09-01T16:00Z", 32.0),
    pod("both", "2026-09-01T00:00Z", "2026-09-05T00:00Z", 192.0),
)


def test_waste_finds_pods_that_were_idle_between_cells() -> None:
    cells = cells_frame(
        [
            cell("waits", 10, 0.5, 1.0),
            cell("waits", 4, 1.5, 4.0),
            cell("waits", None, 0, None),
            cell("works", 7.9, 8, 90.0),
            cell("short", 0.9, 0.1),
            cell("both", 50, 1, idle_usd=None),
            cell("unknown", 50, 1),
        ]
    )
    found = waste(CELL_COSTS, cells=cells, now=NOW).to_dict("records")
    assert [(row["name"], row["reason"], row["detail"], row["cost_usd"]) for row in found] == [
        ("both", "idle between cells", "2 d 2 h of 2 d 3 h idle", 192.0),
        ("waits", "idle between cells", "14 h of 16 h idle, about $28.00, GPU mean 3 %", 32.0),
    ]
    names = waste(CELL_COSTS, cells=cells, now=NOW, idle_min=50)["name"]
    assert set(names) == {"both", "waits", "short"}


def test_waste_accuses_no_pod_without_cells() -> None:
    assert waste(CELL_COSTS, cells=cells_frame([]), now=NOW)["reason"].tolist() == ["ran for days"]
    with pytest.raises(ValueError, match="cells has no column pod_id"):
        waste(CELL_COSTS, cells=pd.DataFrame({"pod": ["a"]}), now=NOW)


def test_cells_of_a_saved_frame_count_as_well(tmp_path: Path) -> None:
    frame = cells_frame([cell("waits", 14, 2, 3.0)])
    for name in ("cells.csv", "cells.parquet"):
        save_frame(frame, str(tmp_path / name))
        df = waste(CELL_COSTS, cells=load_frame(str(tmp_path / name)), now=NOW)
        assert df["detail"].tolist()[-1] == "14 h of 16 h idle, about $28.00, GPU mean 3 %"


def test_the_months_end_is_what_was_spent_and_the_rate_until_then() -> None:
    wallets = pd.DataFrame(
        {
            "wallet": ["mine", "vision"],
            "burn_usd_hr": [2.0, 0.0],
            "month_usd": [100.0, 10.0],
            "balance_usd": [24.0, None],
            "hours_left": [12.0, None],
        }
    )
    df = month(wallets, now=datetime(2026, 9, 30))  # 24 h before October
    assert df["wallet"].tolist() == ["mine", "vision", "all together"]
    assert df["month_end_usd"].tolist() == [148.0, 10.0, 158.0]
    assert df["balance_usd"].tolist() == [24.0, pd.NA, 24.0]
    noon = pd.Timestamp("2026-09-30T12:00Z")
    assert df["empty_at"].tolist() == [noon, pd.NaT, noon]
    assert len(month(wallets.head(1), now=NOW)) == 1


def test_a_balance_that_lasts_for_ages_lasts() -> None:
    wallets = pd.DataFrame(
        {
            "wallet": ["mine"],
            "burn_usd_hr": [1e-9],
            "month_usd": [0.0],
            "balance_usd": [1e6],
            "hours_left": [1e15],
        }
    )
    assert month(wallets, now=NOW)["empty_at"].isna().all()


def test_the_dearest_come_first() -> None:
    frame = costs(
        pod("cheap", "2026-09-01T00:00Z", "2026-09-01T06:00Z", 1.0),
        pod("dear", "2026-09-01T00:00Z", "2026-09-01T06:00Z", 9.0),
        pod("disk", "2026-09-01T00:00Z", "2026-09-01T06:00Z", 99.0, type="Disk"),
    )
    assert dearest(frame)["name"].tolist() == ["dear", "cheap"]
    assert dearest(frame, 1)["name"].tolist() == ["dear"]
    assert (
        list(dearest(frame))
        == """name gpu gpu_count cost_usd gpu_hours provider provisioned_by team begin_at
        end_at state estimated id""".split()
    )


def test_a_history_will_do() -> None:
    history = pd.DataFrame([pod("a", "2026-09-01T00:00Z", "2026-09-01T00:05Z", 60.0)])
    assert dearest(history)["cost_usd"].tolist() == [60.0]
    assert waste(history, now=NOW)["reason"].tolist() == ["ended within minutes"]
    offers = pd.DataFrame([offer("H100_80GB", 2.0)])
    assert gpu_hour_prices(history, offers)["paid_usd_gpu_hr"].tolist() == [pytest.approx(720.0)]


def test_nothing_is_answered_with_the_same_columns_and_dtypes() -> None:
    full, none = costs(pod("a", "2026-09-01T00:00Z", "2026-09-01T00:05Z", 60.0)), costs()
    offers = pd.DataFrame([offer("H100_80GB", 2.0)])
    for ask in (
        dearest,
        lambda frame: gpu_hour_prices(frame, offers),
        lambda frame: spot_savings(frame, offers),
        lambda frame: waste(frame, now=NOW),
    ):
        answer, empty = ask(full), ask(none)
        assert len(answer) == 1
        assert len(empty) == 0
        assert [(name, str(dtype)) for name, dtype in answer.dtypes.items()] == [
            (name, str(dtype)) for name, dtype in empty.dtypes.items()
        ]
        assert dtypes(answer) <= DTYPES


def test_real_frames_without_rows_are_understood() -> None:
    frame = ledger(history_frame([]), pods=pods_frame([]), disks=disks_frame([]), now=NOW)
    assert gpu_hour_prices(frame, offers_frame([])).empty
    assert spot_savings(frame, offers_frame([])).empty
    assert waste(frame, pods=pods_frame([]), disks=disks_frame([]), now=NOW).empty
    assert last_month(frame, now=NOW).empty
    assert month(overview_frame([]), now=NOW).empty
    assert dtypes(month(overview_frame([]), now=NOW)) <= DTYPES
