"""Routes that the service does not have: clock, faults, events, wallets and stock."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Body, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from primepods_magic.sandbox.domain.users import WALLETS
from primepods_magic.sandbox.faults.parsing import PROFILES, read_profile_or_rules
from primepods_magic.sandbox.schemas.account import About, FaultReport, StockChanged, WalletState
from primepods_magic.sandbox.schemas.enums import ProviderType, StockStatus
from primepods_magic.sandbox.schemas.responses import PodState
from primepods_magic.sandbox.service.service import ServiceDep, offer_key

from .about import about_json
from .response import ApiResponse, ApiRoute, error_responses
from .serializers import status_json

__all__ = ["router"]

router = APIRouter(prefix="/sandbox", route_class=ApiRoute)

_MAX_ADVANCE_S = 100 * 366 * 86_400
_MAX_BALANCE_USD = 1e9
_SELECTIONS: list[Any] = [
    {"type": "string", "enum": list(PROFILES)},
    {"type": "array", "items": {"$ref": "#/components/schemas/Rule"}},
]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClockOrder(_Order):
    advance_s: Annotated[float, Field(ge=0, le=_MAX_ADVANCE_S, allow_inf_nan=False)]


class EventOrder(_Order):
    event: Literal["stop", "start", "reclaim", "error", "lose", "fail_installation", "reprice"]
    price_usd_hr: Annotated[float, Field(ge=0, le=_MAX_BALANCE_USD, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _check_price(self) -> EventOrder:
        if (self.event == "reprice") != (self.price_usd_hr is not None):
            raise PydanticCustomError(
                "price", "price_usd_hr is required for reprice, and not allowed otherwise"
            )
        return self


class MachineChange(_Order):
    """The body of `PUT /sandbox/pods/ID/machine`; what is left out stays as it is, null is measured again."""

    utilization: Annotated[int, Field(ge=0, le=100)] | None = None
    memory_used_mb: Annotated[int, Field(ge=0, le=2**31)] | None = None
    nvidia_smi: Literal["ok", "hang", "na", "missing", "lost"] = "ok"
    frozen: bool = False
    cut: bool = False
    refuse_logins: bool = False
    other_host_key: bool = False
    node: Annotated[int, Field(ge=1)] | None = None


class WalletOrder(_Order):
    """The body of `PUT /sandbox/wallet`; without `wallet_id` it applies to all wallets."""

    balance_usd: Annotated[float, Field(ge=-_MAX_BALANCE_USD, le=_MAX_BALANCE_USD, allow_inf_nan=False)]
    wallet_id: str | None = None


class StockOrder(_Order):
    """The body of `PUT /sandbox/offers`: filters, and the new stock of the matching offers."""

    cloud_id: str
    provider: ProviderType | None = None
    data_center: str | None = None
    stock: StockStatus


@router.post("/clock")
async def advance_clock(order: ClockOrder, service: ServiceDep) -> ApiResponse[About]:
    """Move the clock forward, whether it is running or stepped."""
    with service.writing():
        try:
            moved = service.store.clock().advanced(order.advance_s)
        except ValueError as error:
            problem = {"loc": ("body", "advance_s"), "msg": str(error), "type": "end_of_time"}
            raise RequestValidationError([problem]) from None
        service.store.set_clock(moved)
        return ApiResponse(about_json(service))


@router.get("/faults")
async def faults(service: ServiceDep) -> ApiResponse[FaultReport]:
    """Show the active fault rules and the faults injected so far."""
    return ApiResponse(cast(FaultReport, service.faults.report()))


@router.put("/faults")
async def select_faults(
    selection: Annotated[Any, Body(json_schema_extra={"anyOf": _SELECTIONS})],
    service: ServiceDep,
    seed: Annotated[int | None, Query(ge=-(2**63), lt=2**63)] = None,
) -> ApiResponse[FaultReport]:
    """Replace the fault rules by a profile or a list of rules, and reset the counts."""
    try:
        profile, rules = read_profile_or_rules(selection)
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body",), "msg": str(error), "type": "fault"}]) from None
    service.faults.select(rules, profile=profile, seed=seed)
    return ApiResponse(cast(FaultReport, service.faults.report()))


@router.post("/pods/{pod_id}/events", responses=error_responses(404, 409))
async def record_event(pod_id: str, order: EventOrder, service: ServiceDep) -> ApiResponse[PodState]:
    """Make something happen to a pod that no call of the Pods API can do."""
    record, state = service.record_event(pod_id, order.event, usd_hr=order.price_usd_hr)
    (located,) = service.reachable([record], [state])
    return ApiResponse(status_json(located, state, service.dialect))


@router.put("/pods/{pod_id}/machine", responses=error_responses(404, 409))
async def change_machine(pod_id: str, change: MachineChange, service: ServiceDep) -> ApiResponse[PodState]:
    """Set what `nvidia-smi` reports on a pod's machine, or faults of its network and its login."""
    record, state = service.live_pod(pod_id, None)
    (located,) = service.reachable([record], [state])
    settings = change.model_dump(exclude={"node"}, exclude_unset=True)
    if service.machines is None or not service.machines.change(pod_id, settings, change.node):
        raise HTTPException(409, f"Pod {pod_id} has no machine at the moment")
    return ApiResponse(status_json(located, state, service.dialect))


@router.put("/wallet", responses=error_responses(404))
async def set_balance(order: WalletOrder, service: ServiceDep) -> ApiResponse[list[WalletState]]:
    """Set the balance of wallets. Pods of an empty wallet are terminated at once."""
    wallet_ids = WALLETS if order.wallet_id is None else (order.wallet_id,)
    if not set(wallet_ids) <= set(WALLETS):
        raise HTTPException(404, f"No wallet with id {order.wallet_id!r}")
    with service.writing() as now_ms:
        for wallet_id in wallet_ids:
            missing_usd = order.balance_usd - service.store.wallets.balance_usd(wallet_id, now_ms)
            service.store.wallets.deposit(wallet_id, missing_usd)
            if order.balance_usd <= 0:
                service.terminate_all(wallet_id, now_ms)
            service.recompute_charges(wallet_id, now_ms)
        balances: list[WalletState] = [
            {"wallet_id": wallet_id, "balance_usd": service.store.wallets.balance_usd(wallet_id, now_ms)}
            for wallet_id in wallet_ids
        ]
    return ApiResponse(balances)


@router.put("/offers", responses=error_responses(404))
async def set_stock(order: StockOrder, service: ServiceDep) -> ApiResponse[StockChanged]:
    """Set the stock of offers, for example to sell them out."""
    filters = order.model_dump(exclude={"stock"}, exclude_none=True)
    with service.writing():
        matches = [
            offer
            for offer in service.offers()
            if all(getattr(offer, name) == value for name, value in filters.items())
        ]
        if not matches:
            raise HTTPException(404, f"No offer with cloudId {order.cloud_id!r} there")
        for key in dict.fromkeys(map(offer_key, matches)):
            service.store.stock.set(key, order.stock)
    return ApiResponse({"changed": len(matches)})
