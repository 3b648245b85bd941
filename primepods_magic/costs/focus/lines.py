"""What FOCUS says of each line of a ledger: accounts, resources, services, categories and prices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from primepods_magic.costs.coerce import booleans, text
from primepods_magic.frames.tables.schema import STRING

from .services import categorize_type, service_of

__all__ = ["describe_lines"]

_SELLER = "Prime Intellect"
_PERSONAL = "personal"
_HAS_PRICE = ("Usage", "Purchase")


def describe_lines(costs: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return the texts of each line by the names of FOCUS, and its ``unit_price_usd``.

    `measures` has its ``cost_usd``, ``quantity`` (hours, or GPU-hours if it ``has_gpus``) and ``gpu_count``.
    """
    services = [service_of(kind) for kind in _list_words(costs, "type")]
    frame: pd.DataFrame = pd.DataFrame({"BillingCurrency": "USD"}, index=costs.index, dtype=STRING)
    frame["InvoiceIssuerName"] = frame["ProviderName"] = _to_texts([_SELLER] * len(costs))
    frame["PublisherName"] = _read_words(costs, "provider").fillna(_SELLER)
    frame["ServiceName"] = _to_texts([each.name for each in services])
    frame["ServiceCategory"] = _to_texts([each.category for each in services])
    frame["ServiceSubcategory"] = _to_texts([each.subcategory for each in services])
    resource = _to_texts([each.resource for each in services])
    frame["ResourceId"] = _read_words(costs, "id")
    frame["ResourceName"] = _read_words(costs, "name")
    frame["ResourceType"] = resource.where(frame["ResourceId"].notna())
    _add_accounts(frame, costs)
    measures = measures.assign(resource=resource)
    _add_prices(frame, costs, measures)
    frame["ChargeDescription"] = _to_texts(_describe_charges(frame, measures))
    return frame


def _add_accounts(frame: pd.DataFrame, costs: pd.DataFrame) -> None:
    """Add whose wallet is billed, and who launched it."""
    team_id, user_id = _read_words(costs, "team_id"), _read_words(costs, "user_id")
    frame["BillingAccountId"] = account = team_id.fillna(user_id).fillna(_PERSONAL)
    names = _read_words(costs, "team").fillna(team_id).fillna(_PERSONAL)
    pairs = pd.DataFrame({"id": account, "name": names}).drop_duplicates()
    shared = pairs["name"][pairs["name"].duplicated()]
    frame["BillingAccountName"] = names.mask(names.isin(shared), names + " (" + account + ")")
    frame["BillingAccountType"] = team_id.notna().map({True: "Team", False: "Personal"}).astype(STRING)
    frame["SubAccountId"] = user_id
    frame["SubAccountName"] = _read_words(costs, "provisioned_by").where(user_id.notna())
    frame["SubAccountType"] = user_id.mask(user_id.notna(), "User")


def _add_prices(frame: pd.DataFrame, costs: pd.DataFrame, measures: pd.DataFrame) -> None:
    """Add the category of each charge and, for usage and purchases, its units and its price."""
    usd, quantity, resource = measures["cost_usd"], measures["quantity"], measures["resource"]
    has_lasted = quantity.gt(0.0).astype(bool)
    category = _to_texts([categorize_type(kind) for kind in _list_words(costs, "type")])
    category = category.mask(category.isin(_HAS_PRICE) & usd.lt(0.0), "Credit")
    frame["ChargeCategory"] = category = category.mask(category.eq("Usage") & ~has_lasted, "Adjustment")
    is_used, is_priced = category.eq("Usage"), category.isin(_HAS_PRICE)
    frame["ChargeFrequency"] = is_used.map({True: "Usage-Based", False: "One-Time"}).astype(STRING)
    hours = measures["has_gpus"].map({True: "GPU-Hours", False: "Hours"}).astype(STRING)
    frame["PricingUnit"] = hours.where(has_lasted, "Units").where(is_priced)
    frame["ConsumedUnit"] = hours.where(is_used)
    is_spot = booleans(costs, "is_spot").fillna(False)
    pricing = is_spot.map({True: "Dynamic", False: "Standard"}).astype(STRING)
    frame["PricingCategory"] = pricing.where(is_priced)
    frame["unit_price_usd"] = price = (usd / quantity.where(has_lasted, 1.0)).where(is_priced)
    gpu = _read_words(costs, "gpu")
    frame["SkuId"] = sku = gpu.fillna(resource).where(is_priced)
    # The service has no list of prices by id. Averages are rounded, so that a live disk keeps its id.
    shown = _to_texts([None if pd.isna(each) else f"{each:.6g}" for each in price])
    frame["SkuPriceId"] = frame["PublisherName"] + "/" + sku + "/" + pricing + "/" + shown
    is_gpu = frame["PricingUnit"].eq("GPU-Hours").fillna(False)
    frame["SkuMeter"] = resource.mask(is_gpu, "GPU").where(is_priced) + " Usage"
    details = gpu.map(lambda kind: json.dumps({"GpuCount": 1, "x_GpuType": kind}), na_action="ignore")
    frame["SkuPriceDetails"] = details.astype(STRING).where(is_gpu)


def _describe_charges(frame: pd.DataFrame, measures: pd.DataFrame) -> list[str]:
    names = ["ChargeCategory", "SkuId", "unit_price_usd", "PricingUnit", "ResourceName"]
    columns = [*(frame[name] for name in names), measures["gpu_count"], measures["resource"]]
    texts = []
    for category, sku, price, unit, name, count, kind in zip(*columns, strict=True):
        if pd.isna(sku):
            what = f"{category}, {kind}"
        else:
            number = f"{count:g} × " if unit == "GPU-Hours" else ""
            what = f"{number}{sku}, {price:.6g} USD per {unit.removesuffix('s')}"
        texts.append(what if pd.isna(name) else f"{what}: {name}")
    return texts


def _read_words(costs: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as text; texts of spaces alone are missing."""
    words = text(costs, name)
    told: pd.Series = words.mask(words.str.strip().eq(""), pd.NA)
    return told


def _list_words(costs: pd.DataFrame, name: str) -> list[str | None]:
    return [None if pd.isna(each) else each for each in _read_words(costs, name)]


def _to_texts(values: Sequence[Any]) -> pd.Series:
    texts: pd.Series = pd.Series(pd.array(values, dtype=STRING))
    return texts
