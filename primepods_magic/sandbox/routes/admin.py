"""The sandbox's own surface, beside the Pods API: what it is, its clock, faults, and what happens to pods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from primepods_magic.sandbox.clock import iso
from primepods_magic.sandbox.fault_selection import read_profile_or_rules
from primepods_magic.sandbox.wire import status_json
from primepods_magic.sandbox.world import TheWorld, World

router = APIRouter(prefix="/sandbox")


_LONGEST_ADVANCE_S = 100 * 366 * 86_400


class ClockOrder(BaseModel):
    """The body of ``POST /sandbox/clock``."""

    model_config = ConfigDict(extra="forbid")

    advance_s: Annotated[float, Field(ge=0, le=_LONGEST_ADVANCE_S, allow_inf_nan=False)]


class EventOrder(BaseModel):
    """The body of ``POST /sandbox/pods/{id}/events``."""

    model_config = ConfigDict(extra="forbid")

    event: Literal["stop", "start", "reclaim", "error", "lose", "fail_installation"]


@router.get("")
async def about(world: TheWorld) -> dict[str, Any]:
    """What answers here, and what time it is."""
    with world.store.reading():
        return _about(world)


@router.post("/clock")
async def advance_clock(order: ClockOrder, world: TheWorld) -> dict[str, Any]:
    """Move the clock forward, standing or running."""
    with world.store.writing():
        try:
            moved = world.store.clock().advanced(order.advance_s)
        except ValueError as error:
            problem = {"loc": ("body", "advance_s"), "msg": str(error), "type": "end_of_time"}
            raise RequestValidationError([problem]) from None
        world.store.set_clock(moved)
        return _about(world)


@router.get("/faults")
async def faults(world: TheWorld) -> dict[str, Any]:
    """What is to go wrong on purpose, and what has."""
    return world.faults.report()


@router.put("/faults")
async def select_faults(
    selection: Annotated[Any, Body()],
    world: TheWorld,
    seed: Annotated[int | None, Query(ge=-(2**63), lt=2**63)] = None,
) -> dict[str, Any]:
    """Replace the rules, by a profile's name or by other rules, and count anew."""
    try:
        profile, rules = read_profile_or_rules(selection)
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body",), "msg": str(error), "type": "fault"}]) from None
    world.faults.select(rules, profile=profile, seed=seed)
    return world.faults.report()


@router.post("/pods/{pod_id}/events")
async def record_event(pod_id: str, order: EventOrder, world: TheWorld) -> dict[str, Any]:
    """Let something happen to a pod that no call of the Pods API can do."""
    record, state = world.record_event(pod_id, order.event)
    return status_json(record, state, world.dialect)


def _about(world: World) -> dict[str, Any]:
    clock = world.store.clock()
    return {
        "product": "primepods_magic sandbox",
        "instance": world.store.instance(),
        "dialect": world.dialect,
        "clock": {"mode": clock.mode, "speed": clock.speed, "now": iso(clock.now_ms())},
    }
