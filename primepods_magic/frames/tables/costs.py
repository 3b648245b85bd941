"""Columns of the frames of `primepods_magic.costs`."""

from __future__ import annotations

from typing import Any

from .history import HISTORY
from .schema import TIME, Column

__all__ = ["COSTS", "FOCUS", "LEDGER", "MONTH", "PRICES", "SPOT", "WASTE"]

COSTS: tuple[Column[Any], ...] = (
    Column("period", TIME, doc="start of the hour, day, week, month or quarter, in the chosen time zone"),
    Column(
        "cost_usd", "Float64", doc="USD billed so far, or an estimate (see estimated); missing if unknown"
    ),
    Column("gpu_hours", "Float64", doc="GPUs × hours"),
    Column("pods", "Int64", doc="number of pods with a part in it"),
    Column("share", "Float64", doc="fraction of the period's total, or of the whole"),
    Column("estimated", "boolean", doc="not final: live, without an end, or not billed yet"),
    Column("estimated_usd", "Float64", doc="part of cost_usd that is an estimate", format="part"),
    Column(
        "previous_usd",
        "Float64",
        doc="USD in the previous period; 0 if there was no cost, missing in the first period",
    ),
    Column("change_usd", "Float64", doc="USD more than in the previous period"),
    Column("change", "Float64", doc="change_usd as a fraction of previous_usd; missing if that is 0"),
    Column("running_usd", "Float64", doc="USD in total by the end of the period"),
)
_LEDGER_DOCS = {
    "price_usd_hr": "USD per hour: on average, or now if live",
    "state": "closed, open (in the history, without an end) or live (not in the history yet)",
}
LEDGER: tuple[Column[Any], ...] = (
    *(
        Column(each.name, each.dtype, doc=_LEDGER_DOCS.get(each.name, each.doc))
        for each in HISTORY
        if each.name != "estimated_usd"
    ),
    Column("team", "string", doc="name of the team that is billed, else its id, else 'personal'"),
    Column("begin_at", TIME, doc="start of the time that the cost is for; missing if unknown"),
    Column("end_at", TIME, doc="end of the time that the cost is for; missing if unknown"),
    Column("cost_usd", "Float64", doc="USD in total; missing if not known"),
    Column("is_spot", "boolean"),
    Column("estimated", "boolean"),
)
MONTH: tuple[Column[Any], ...] = (
    Column("wallet", "string"),
    Column("burn_usd_hr", "Float64"),
    Column("month_usd", "Float64"),
    Column("month_end_usd", "Float64", doc="USD by the end of the month (UTC), at this rate"),
    Column("balance_usd", "Float64"),
    Column("hours_left", "Float64"),
    Column("empty_at", TIME, doc="when the balance is used up at this rate; missing if never"),
)
PRICES: tuple[Column[Any], ...] = (
    Column("gpu", "string"),
    Column("gpu_hours", "Float64"),
    Column("cost_usd", "Float64", doc="USD, estimates included"),
    Column("paid_usd_gpu_hr", "Float64", doc="USD per GPU and hour that was paid, on average"),
    Column(
        "cheapest_usd_gpu_hr", "Float64", doc="USD per GPU and hour of the cheapest on-demand offer today"
    ),
    Column("cheapest_provider", "string", doc="provider with the cheapest price today"),
    Column(
        "difference", "Float64", doc="fraction paid above the cheapest price today: 0.25 is a quarter more"
    ),
)
SPOT: tuple[Column[Any], ...] = (
    Column("gpu", "string"),
    Column("gpu_hours", "Float64"),
    Column("spot_gpu_hours", "Float64", doc="of the gpu_hours, those known to have been spot"),
    Column("cost_usd", "Float64", doc="USD, estimates included"),
    Column("paid_usd_gpu_hr", "Float64"),
    Column(
        "on_demand_usd_gpu_hr",
        "Float64",
        doc="USD per GPU and hour of the cheapest on-demand offer today",
    ),
    Column("spot_usd_gpu_hr", "Float64", doc="USD per GPU and hour of the cheapest spot offer today"),
    Column("spot_cost_usd", "Float64", doc="USD for all gpu_hours at today's cheapest spot price"),
    Column("saving_usd", "Float64", doc="USD saved at today's spot price; negative if less was paid"),
)
WASTE: tuple[Column[Any], ...] = (
    Column("name", "string"),
    Column("reason", "string", doc="why it may be unused"),
    Column("cost_usd", "Float64", doc="USD in total, used or not"),
    Column("since_at", TIME, doc="when it was created"),
    Column("detail", "string"),
    Column("id", "string"),
)
# The names are those of the specification. Version 1.0 first, then what 1.1 and 1.2 add, then our own.
FOCUS: tuple[Column[Any], ...] = (
    Column("AvailabilityZone", "string", doc="missing: the ledger does not have it"),
    Column("BilledCost", "Float64", doc="USD"),
    Column("BillingAccountId", "string", doc="id of the team or person whose wallet is billed"),
    Column("BillingAccountName", "string", doc="name of the team, or 'personal'"),
    Column("BillingCurrency", "string", doc="USD"),
    Column("BillingPeriodEnd", TIME, doc="start of the next month (UTC)"),
    Column("BillingPeriodStart", TIME, doc="start of the month (UTC)"),
    Column("ChargeCategory", "string", doc="Usage, Purchase, Tax, Credit or Adjustment"),
    Column("ChargeClass", "string", doc="missing: the ledger does not say what corrects an earlier bill"),
    Column("ChargeDescription", "string", doc="what was charged, at which price"),
    Column("ChargeFrequency", "string", doc="Usage-Based for Usage, else One-Time"),
    Column("ChargePeriodEnd", TIME, doc="start of the next day (UTC)"),
    Column("ChargePeriodStart", TIME, doc="start of the day (UTC)"),
    Column("CommitmentDiscountCategory", "string", doc="missing: there are no such discounts"),
    Column("CommitmentDiscountId", "string", doc="missing: there are no such discounts"),
    Column("CommitmentDiscountName", "string", doc="missing: there are no such discounts"),
    Column("CommitmentDiscountStatus", "string", doc="missing: there are no such discounts"),
    Column("CommitmentDiscountType", "string", doc="missing: there are no such discounts"),
    Column("ConsumedQuantity", "Float64", doc="number of ConsumedUnit; only of Usage"),
    Column("ConsumedUnit", "string", doc="GPU-Hours, or Hours if there are no GPUs; only of Usage"),
    Column("ContractedCost", "Float64", doc="USD, the same as BilledCost"),
    Column("ContractedUnitPrice", "Float64", doc="USD per PricingUnit, the average that was paid"),
    Column("EffectiveCost", "Float64", doc="USD, the same as BilledCost"),
    Column("InvoiceIssuerName", "string", doc="Prime Intellect"),
    Column("ListCost", "Float64", doc="USD, the same as BilledCost"),
    Column("ListUnitPrice", "Float64", doc="USD per PricingUnit, the same as ContractedUnitPrice"),
    Column("PricingCategory", "string", doc="Dynamic for spot, else Standard; only of Usage and Purchase"),
    Column("PricingQuantity", "Float64", doc="number of PricingUnit; only of Usage and Purchase"),
    Column("PricingUnit", "string", doc="GPU-Hours, Hours or, without a duration, Units"),
    Column("ProviderName", "string", doc="Prime Intellect"),
    Column("PublisherName", "string", doc="provider of the machine"),
    Column("RegionId", "string", doc="missing: the ledger does not have it"),
    Column("RegionName", "string", doc="missing: the ledger does not have it"),
    Column("ResourceId", "string", doc="id of the pod or disk"),
    Column("ResourceName", "string", doc="name of the pod or disk"),
    Column("ResourceType", "string", doc="Pod, Disk or the ledger's type"),
    Column("ServiceCategory", "string", doc="Compute, Storage, AI and Machine Learning or Other"),
    Column("ServiceName", "string", doc="Pods, Disks or the ledger's type"),
    Column("SkuId", "string", doc="type of the GPU, else of the resource; only of Usage and Purchase"),
    Column("SkuPriceId", "string", doc="provider, SkuId, PricingCategory and unit price to six digits"),
    Column("SubAccountId", "string", doc="id of the person who launched it"),
    Column("SubAccountName", "string", doc="name of the person who launched it"),
    Column("Tags", "string", doc="missing: the ledger does not have them"),
    Column("BillingAccountType", "string", doc="Team or Personal (FOCUS 1.2)"),
    Column("ServiceSubcategory", "string", doc="part of the ServiceCategory (FOCUS 1.1)"),
    Column("SkuMeter", "string", doc="what the SkuId measures (FOCUS 1.1)"),
    Column("SkuPriceDetails", "string", doc="JSON with the type of the GPU (FOCUS 1.1)"),
    Column("SubAccountType", "string", doc="User, if there is a SubAccountId (FOCUS 1.2)"),
    Column("x_Estimated", "boolean", doc="not final: live, without an end, or not billed yet"),
)
