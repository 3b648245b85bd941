"""What FOCUS prescribes, as a table from the specification, and ledgers of every kind to hold against it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tests.frames.test_costs_properties import ledger_of, rows

# Version 1.0: column, data type, whether it may be null. Then what 1.1 and 1.2 add, as far as we have it.
SPECIFICATION = """
AvailabilityZone String null
BilledCost Decimal -
BillingAccountId String -
BillingAccountName String null
BillingCurrency String -
BillingPeriodEnd Date/Time -
BillingPeriodStart Date/Time -
ChargeCategory String -
ChargeClass String null
ChargeDescription String null
ChargeFrequency String -
ChargePeriodEnd Date/Time -
ChargePeriodStart Date/Time -
CommitmentDiscountCategory String null
CommitmentDiscountId String null
CommitmentDiscountName String null
CommitmentDiscountStatus String null
CommitmentDiscountType String null
ConsumedQuantity Decimal null
ConsumedUnit String null
ContractedCost Decimal -
ContractedUnitPrice Decimal null
EffectiveCost Decimal -
InvoiceIssuerName String -
ListCost Decimal -
ListUnitPrice Decimal null
PricingCategory String null
PricingQuantity Decimal null
PricingUnit String null
ProviderName String -
PublisherName String -
RegionId String null
RegionName String null
ResourceId String null
ResourceName String null
ResourceType String null
ServiceCategory String -
ServiceName String -
SkuId String null
SkuPriceId String null
SubAccountId String null
SubAccountName String null
Tags JSON null
BillingAccountType String -
ServiceSubcategory String -
SkuMeter String null
SkuPriceDetails JSON null
SubAccountType String null
"""
COLUMNS = [line.split() for line in SPECIFICATION.strip().splitlines()]
DTYPES = {
    "String": "string",
    "JSON": "string",
    "Decimal": "Float64",
    "Date/Time": "datetime64[us, UTC]",
}
# The subcategories are those of 1.2.
SUBCATEGORIES = {
    "AI and Machine Learning": {"Generative AI", "Machine Learning", "Other (AI and Machine Learning)"},
    "Compute": {"Containers", "Serverless Compute", "Virtual Machines", "Other (Compute)"},
    "Storage": {"Block Storage", "File Storage", "Object Storage", "Other (Storage)"},
    "Other": {"Other (Other)"},
}
ALLOWED = {
    "BillingCurrency": {"USD"},
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "CommitmentDiscountCategory": {"Spend", "Usage"},
    "CommitmentDiscountStatus": {"Used", "Unused"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {
        *("AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases"),
        *("Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things"),
        *("Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security"),
        *("Storage", "Web", "Other"),
    },
}
TIME_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER_TEXT = re.compile(r"-?\d+\.\d+")
COSTS = [name for name, *_ in COLUMNS if name.endswith("Cost")]
# Only what has a price has these, and all of that does.
PRICED = "ContractedUnitPrice ListUnitPrice PricingCategory PricingQuantity PricingUnit SkuId SkuPriceId"


def check_charges(frame: pd.DataFrame) -> None:
    """Hold a frame against the specification: columns, types, nulls, enumerations, and their relations."""
    names = [name for name, *_ in COLUMNS]
    assert list(frame.columns) == [*names, "x_Estimated"]
    for name, kind, nulls in COLUMNS:
        assert str(frame[name].dtype) == DTYPES[kind], name
        assert nulls == "null" or frame[name].notna().all(), name
        told = frame[name].dropna()
        assert set(told) <= ALLOWED.get(name, set(told)), name
        if kind in ("String", "JSON"):
            assert told.str.strip().ne("").all(), name
        if kind == "JSON":
            for text in told:
                assert all(not isinstance(value, dict | list) for value in json.loads(text).values())
    _check_periods(frame)
    _check_prices(frame)
    category = frame["ServiceCategory"]
    for service, part in frame.groupby("ServiceName"):
        assert part["ServiceCategory"].nunique() == part["ServiceSubcategory"].nunique() == 1, service
    assert all(
        sub in SUBCATEGORIES[one] for one, sub in zip(category, frame["ServiceSubcategory"], strict=True)
    )
    assert (frame["ResourceType"].isna() == frame["ResourceId"].isna()).all()
    assert (frame["SubAccountType"].isna() == frame["SubAccountId"].isna()).all()
    accounts = frame[["BillingAccountId", "BillingAccountName"]].drop_duplicates()
    assert accounts["BillingAccountId"].is_unique
    assert accounts["BillingAccountName"].is_unique


def _check_periods(frame: pd.DataFrame) -> None:
    assert ((frame["ChargePeriodEnd"] - frame["ChargePeriodStart"]) == pd.Timedelta(days=1)).all()
    assert (frame["ChargePeriodStart"].dt.normalize() == frame["ChargePeriodStart"]).all()
    assert (frame["BillingPeriodStart"] <= frame["ChargePeriodStart"]).all()
    assert (frame["ChargePeriodEnd"] <= frame["BillingPeriodEnd"]).all()
    for name in ("BillingPeriodStart", "BillingPeriodEnd"):
        assert frame[name].dt.day.eq(1).all()
    days = (frame["BillingPeriodEnd"] - frame["BillingPeriodStart"]).dt.days
    assert (days == frame["BillingPeriodStart"].dt.days_in_month).all()


def _check_prices(frame: pd.DataFrame) -> None:
    category = frame["ChargeCategory"]
    is_used, is_priced = category.eq("Usage"), category.isin(["Usage", "Purchase"])
    for name in PRICED.split():
        assert (frame[name].notna() == is_priced).all(), name
    for name in ("ConsumedQuantity", "ConsumedUnit"):
        assert (frame[name].notna() == is_used).all(), name
    assert (frame["ChargeFrequency"].eq("Usage-Based") == is_used).all()
    for name in COSTS:
        assert (frame[name] == frame["BilledCost"]).all()
    priced = frame[is_priced]
    for price in ("ContractedUnitPrice", "ListUnitPrice"):
        assert (priced[price] >= 0).all()
        for row in priced[["PricingQuantity", price, "BilledCost"]].itertuples(index=False):
            assert math.isclose(row[0] * row[1], row[2], rel_tol=1e-9, abs_tol=1e-9), row
    assert (priced["PricingQuantity"] >= 0).all()
    assert priced.groupby("SkuPriceId")["SkuId"].nunique().eq(1).all()
    for _, part in priced.groupby("SkuPriceId"):
        assert part["ListUnitPrice"].max() <= part["ListUnitPrice"].min() * (1 + 1e-5) + 1e-9


KINDS = st.sampled_from(
    [
        "Instance",
        "Disk",
        "Cluster",
        "Image",
        "Inference",
        "Credit",
        "Prepaid",
        "Adjustment",
        "tax",
        "New",
        None,
    ]
)


@st.composite
def ledgers(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a ledger with every kind of row, each of a resource of its own."""
    given_rows = draw(rows())
    frame = ledger_of(given_rows)

    def column(values: st.SearchStrategy[Any], dtype: str) -> Any:
        return pd.array([draw(values) for _ in given_rows], dtype=dtype)

    identified = draw(st.booleans())
    return frame.assign(
        id=pd.array([f"p{each}" if identified or each % 2 else None for each in range(len(frame))], "string"),
        type=column(KINDS, "string"),
        provider=column(st.sampled_from(["runpod", "hyperstack", " ", None]), "string"),
        team_id=column(st.sampled_from(["t1", "t2", "", None]), "string"),
        user_id=column(st.sampled_from(["u1", "u2", None]), "string"),
        provisioned_by=column(st.sampled_from(["Ada", None]), "string"),
        is_spot=column(st.sampled_from([True, False, None]), "boolean"),
    )
