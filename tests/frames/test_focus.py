"""`costs.to_focus`: the charges are what FOCUS prescribes, and add up to the ledger."""

from __future__ import annotations

import csv
import math
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from pandas.testing import assert_frame_equal

from primepods_magic import costs
from primepods_magic.frames import load_frame, save_frame
from tests.frames.focus import COLUMNS, COSTS, NUMBER_TEXT, TIME_TEXT, check_charges, ledgers
from tests.frames.test_costs_properties import LIMITS
from tests.support import soak

START = datetime(2026, 9, 1, 22, tzinfo=timezone.utc)
END = datetime(2026, 9, 2, 1, tzinfo=timezone.utc)


def line(**told: Any) -> dict[str, Any]:
    usual = {"id": "p1", "name": "train", "type": "Instance", "gpu": "H100_80GB", "gpu_count": 2}
    return {**usual, "begin_at": START, "end_at": END, "cost_usd": 12.0, "is_spot": None, **told}


def charges(*lines: dict[str, Any], **limits: Any) -> pd.DataFrame:
    frame = costs.to_focus(pd.DataFrame(list(lines)), **limits)
    check_charges(frame)
    return frame


@given(ledgers())
@settings(max_examples=soak.pick(25, 1000))
def test_any_ledger_adds_up_by_resource_and_by_month(ledger: pd.DataFrame) -> None:
    frame = costs.to_focus(ledger)
    check_charges(frame)
    assert not frame.dropna(subset=["ResourceId"]).duplicated(["ResourceId", "ChargePeriodStart"]).any()
    for name in COSTS:
        assert math.isclose(math.fsum(frame[name]), math.fsum(ledger["cost_usd"]), abs_tol=1e-6)
    by_id = frame.groupby("ResourceId")["BilledCost"].sum()
    known = ledger.dropna(subset=["id"]).set_index("id")["cost_usd"]
    assert (by_id - known).abs().le(1e-6).all()
    months = costs.breakdown(ledger, freq="M").dropna(subset=["period"]).set_index("period")["cost_usd"]
    if ledger[["begin_at", "end_at"]].notna().any(axis=1).all():
        sums = frame.groupby("BillingPeriodStart")["BilledCost"].sum()
        assert list(sums.index) == list(months.index)
        assert (sums.to_numpy() - months.to_numpy() < 1e-6).all()


@given(ledgers(), LIMITS, LIMITS)
@settings(max_examples=soak.pick(10, 400))
def test_a_range_has_the_costs_of_the_range(
    ledger: pd.DataFrame, since: datetime | None, until: datetime | None
) -> None:
    if since and until and since > until:
        since, until = until, since
    frame = costs.to_focus(ledger, since=since, until=until)
    check_charges(frame)
    expected = costs.breakdown(ledger, since=since, until=until)["cost_usd"]
    assert math.isclose(math.fsum(frame["BilledCost"]), math.fsum(expected), abs_tol=1e-6)


def test_a_pod_is_usage_by_gpu_hour_for_each_day() -> None:
    first, second = charges(line(provider="runpod", team="Lab", team_id="t1", user_id="u1")).to_dict(
        "records"
    )
    assert (first["BilledCost"], second["BilledCost"]) == (8.0, 4.0)
    assert (first["ConsumedQuantity"], first["ConsumedUnit"], first["ListUnitPrice"]) == (
        4.0,
        "GPU-Hours",
        2.0,
    )
    assert [each["ChargePeriodStart"].day for each in (first, second)] == [1, 2]
    assert first["BillingPeriodEnd"] == pd.Timestamp("2026-10-01", tz="UTC")
    told = "ChargeCategory PublisherName ProviderName BillingAccountId BillingAccountName SkuPriceId".split()
    assert [first[name] for name in told] == [
        *("Usage", "runpod", "Prime Intellect", "t1", "Lab", "runpod/H100_80GB/Standard/2")
    ]
    assert first["ChargeDescription"] == "2 × H100_80GB, 2 USD per GPU-Hour: train"


@pytest.mark.parametrize(
    ("told", "category", "expected"),
    [
        ({"is_spot": True}, "Usage", ["GPU-Hours", "Dynamic", 2.0]),
        ({"gpu_count": 0}, "Usage", ["Hours", "Standard", 4.0]),
        ({"type": "Disk", "gpu": None, "gpu_count": 0}, "Usage", ["Hours", "Standard", 4.0]),
        ({"type": "Prepaid"}, "Purchase", ["GPU-Hours", "Standard", 2.0]),
        ({"type": "Purchase", "end_at": START}, "Purchase", ["Units", "Standard", 12.0]),
        ({"cost_usd": -12.0}, "Credit", [None, None, None]),
        ({"type": "Prepaid", "cost_usd": -12.0}, "Credit", [None, None, None]),
        ({"type": "Credit"}, "Credit", [None, None, None]),
        ({"type": "Adjustment", "cost_usd": -12.0}, "Adjustment", [None, None, None]),
        ({"type": "Tax"}, "Tax", [None, None, None]),
        # Without a duration there is no quantity, and so no price.
        ({"end_at": START}, "Adjustment", [None, None, None]),
        ({"begin_at": None}, "Adjustment", [None, None, None]),
    ],
    ids=str,
)
def test_the_category_of_a_charge(told: dict[str, Any], category: str, expected: list[Any]) -> None:
    frame = charges(line(**told))
    assert set(frame["ChargeCategory"]) == {category}
    assert frame["BilledCost"].sum() == told.get("cost_usd", 12.0)
    first = frame[["PricingUnit", "PricingCategory", "ListUnitPrice"]].iloc[0]
    assert [None if pd.isna(value) else value for value in first] == expected


def test_rows_without_a_time_are_on_the_last_day_and_without_a_cost_left_out() -> None:
    undated = line(id="p2", begin_at=pd.NaT, end_at=pd.NaT, cost_usd=5.0)
    frame = charges(line(), undated, line(id="p3", cost_usd=None))
    assert set(frame["ResourceId"]) == {"p1", "p2"}
    (last,) = frame[frame["ResourceId"] == "p2"].to_dict("records")
    assert (last["ChargePeriodStart"].day, last["BilledCost"]) == (2, 5.0)
    assert set(charges(line(), undated, since=START)["ResourceId"]) == {"p1"}
    assert len(charges({**undated})) == 1


def test_a_price_has_an_id_which_noise_does_not_change() -> None:
    frame = charges(*(line(id=str(usd), cost_usd=usd) for usd in (6.0, 6.0000001, 6.01)))
    ids = frame.groupby("ResourceId")["SkuPriceId"].first()
    assert ids["6.0"] == ids["6.0000001"] == "Prime Intellect/H100_80GB/Standard/1"
    assert ids["6.01"] == "Prime Intellect/H100_80GB/Standard/1.00167"


def test_accounts_of_one_name_are_told_apart() -> None:
    lines = [line(id=f"p{each}", team="Lab", team_id=f"t{each}") for each in range(2)]
    frame = charges(*lines, line(id="p9", team="personal", user_id="u1"))
    assert set(frame["BillingAccountName"]) == {"Lab (t0)", "Lab (t1)", "personal"}
    assert set(frame["BillingAccountType"]) == {"Team", "Personal"}


def test_a_history_will_do_and_an_empty_one_has_the_columns() -> None:
    history = pd.DataFrame(columns=["billed_usd", "created_at", "terminated_at"])
    check_charges(costs.to_focus(history))
    with pytest.raises(ValueError, match="history has no column billed_usd"):
        costs.to_focus(pd.DataFrame())


def test_a_csv_file_has_times_and_numbers_as_prescribed(tmp_path: Path) -> None:
    odd = [line(id=f"p{each}", cost_usd=usd) for each, usd in enumerate([3e-7, 1e17, 3.0, -0.1])]
    frame = charges(*odd, line(name='=a, "b"\r\nc'))
    path = save_frame(frame, tmp_path / "focus.csv")
    kinds = {name: kind for name, kind, _ in COLUMNS}
    with path.open(newline="", encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    assert len(told) == len(frame)
    for row in told:
        for name, kind in kinds.items():
            pattern = {"Date/Time": TIME_TEXT, "Decimal": NUMBER_TEXT}.get(kind)
            assert pattern is None or not row[name] or pattern.fullmatch(row[name]), (name, row[name])
    assert_frame_equal(load_frame(path), frame, check_exact=True)
    assert_frame_equal(load_frame(save_frame(frame, tmp_path / "focus.parquet")), frame, check_exact=True)
