"""What the service does not have: moving the clock, choosing faults, and letting things happen."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Body, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.users import WALLETS
from primepods_magic.sandbox.faults.parsing import read_profile_or_rules
from primepods_magic.sandbox.schemas.account import About, FaultReport, StockChanged, WalletState
from primepods_magic.sandbox.schemas.enums import ProviderType, StockStatus
from primepods_magic.sandbox.schemas.responses import PodState
from primepods_magic.sandbox.service.service import ServiceDep, offer_key

from .about import about_json
from .response import ApiResponse
from .serializers import status_json

router = APIRouter(prefix="/sandbox")

_LONGEST_ADVANCE_S = 100 * 366 * 86_400
_RICHEST_USD = 1e9


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClockOrder(_Order):
    """The body of ``POST /sandbox/clock``."""

    advance_s: Annotated[float, Field(ge=0, le=_LONGEST_ADVANCE_S, allow_inf_nan=False)]


class EventOrder(_Order):
    """The body of ``POST /sandbox/pods/{id}/events``; ``price_usd_hr`` is for ``reprice`` alone."""

    event: Literal["stop", "start", "reclaim", "error", "lose", "fail_installation", "reprice"]
    price_usd_hr: Annotated[float, Field(ge=0, le=_RICHEST_USD, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _price_belongs_to_reprice(self) -> EventOrder:
        if (self.event == "reprice") != (self.price_usd_hr is not None):
            raise PydanticCustomError("price", "reprice needs a price_usd_hr, and nothing else has one")
        return self


class WalletOrder(_Order):
    """The body of ``PUT /sandbox/wallet``; no ``wallet_id`` means everybody's."""

    balance_usd: Annotated[float, Field(ge=-_RICHEST_USD, le=_RICHEST_USD, allow_inf_nan=False)]
    wallet_id: str | None = None


class StockOrder(_Order):
    """The body of ``PUT /sandbox/offers``: which offers, by all that is said, and the stock they have now."""

    cloud_id: str
    provider: ProviderType | None = None
    data_center: str | None = None
    stock: StockStatus


@router.post("/clock")
async def advance_clock(order: ClockOrder, world: ServiceDep) -> ApiResponse[About]:
    """Move the clock forward, standing or running."""
    with world.writing():
        try:
            moved = world.store.clock().advanced(order.advance_s)
        except ValueError as error:
            problem = {"loc": ("body", "advance_s"), "msg": str(error), "type": "end_of_time"}
            raise RequestValidationError([problem]) from None
        world.store.set_clock(moved)
        return ApiResponse(about_json(world))


@router.get("/faults")
async def faults(world: ServiceDep) -> ApiResponse[FaultReport]:
    """What is to go wrong on purpose, and what has."""
    return ApiResponse(cast(FaultReport, world.faults.report()))


@router.put("/faults")
async def select_faults(
    selection: Annotated[Any, Body()],
    world: ServiceDep,
    seed: Annotated[int | None, Query(ge=-(2**63), lt=2**63)] = None,
) -> ApiResponse[FaultReport]:
    """Replace the rules, by a profile's name or by other rules, and count anew."""
    try:
        profile, rules = read_profile_or_rules(selection)
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body",), "msg": str(error), "type": "fault"}]) from None
    world.faults.select(rules, profile=profile, seed=seed)
    return ApiResponse(cast(FaultReport, world.faults.report()))


@router.post("/pods/{pod_id}/events", responses=refusals(404, 409))
async def record_event(pod_id: str, order: EventOrder, world: ServiceDep) -> ApiResponse[PodState]:
    """Let something happen to a pod that no call of the Pods API can do."""
    record, state = world.record_event(pod_id, order.event, usd_hr=order.price_usd_hr)
    return ApiResponse(status_json(record, state, world.dialect))


@router.put("/wallet", responses=refusals(404))
async def set_balance(order: WalletOrder, world: ServiceDep) -> ApiResponse[list[WalletState]]:
    """Let wallets hold this much now. Pods that an empty one pays for are taken back at once."""
    meant = WALLETS if order.wallet_id is None else (order.wallet_id,)
    if not set(meant) <= set(WALLETS):
        raise HTTPException(404, f"No wallet with id {order.wallet_id!r}")
    with world.writing() as now_ms:
        for wallet_id in meant:
            missing_usd = order.balance_usd - world.store.wallets.balance_usd(wallet_id, now_ms)
            world.store.wallets.deposit(wallet_id, missing_usd)
            if order.balance_usd <= 0:
                world.reclaim_all(wallet_id, now_ms)
            world.charge_anew(wallet_id, now_ms)
        balances: list[WalletState] = [
            {"wallet_id": wallet_id, "balance_usd": world.store.wallets.balance_usd(wallet_id, now_ms)}
            for wallet_id in meant
        ]
    return ApiResponse(balances)


@router.put("/offers", responses=refusals(404))
async def set_stock(order: StockOrder, world: ServiceDep) -> ApiResponse[StockChanged]:
    """Let offers have another stock, for example none."""
    wanted = order.model_dump(exclude={"stock"}, exclude_none=True)
    with world.writing():
        found = [
            offer
            for offer in world.offers()
            if all(getattr(offer, name) == value for name, value in wanted.items())
        ]
        if not found:
            raise HTTPException(404, f"No offer with cloudId {order.cloud_id!r} there")
        for key in dict.fromkeys(map(offer_key, found)):
            world.store.stock.set(key, order.stock)
    return ApiResponse({"changed": len(found)})
