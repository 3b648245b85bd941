"""The route that identifies the sandbox."""

from __future__ import annotations

from fastapi import APIRouter

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.schemas.account import About
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse, ApiRoute

router = APIRouter(prefix="/sandbox", route_class=ApiRoute)


@router.get("")
async def about(service: ServiceDep) -> ApiResponse[About]:
    """Show the dialect and the clock of this sandbox."""
    with service.reading():
        return ApiResponse(about_json(service))


def about_json(service: SandboxService) -> About:
    clock = service.store.clock()
    return {
        "product": "primepods_magic sandbox",
        "instance": service.store.instance(),
        "dialect": service.dialect,
        "clock": {"mode": clock.mode, "speed": clock.speed, "now": iso(clock.now_ms())},
        "machines": service.machines is not None,
    }
