"""What answers here, and what time it is."""

from __future__ import annotations

from fastapi import APIRouter

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.schemas.account import About
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse

router = APIRouter(prefix="/sandbox")


@router.get("")
async def about(world: ServiceDep) -> ApiResponse[About]:
    """What answers here, and what time it is."""
    with world.reading():
        return ApiResponse(about_json(world))


def about_json(world: SandboxService) -> About:
    """What answers here; call inside a transaction."""
    clock = world.store.clock()
    return {
        "product": "primepods_magic sandbox",
        "instance": world.store.instance(),
        "dialect": world.dialect,
        "clock": {"mode": clock.mode, "speed": clock.speed, "now": iso(clock.now_ms())},
    }
