"""What answers here, and what time it is."""

from __future__ import annotations

from fastapi import APIRouter

from primepods_magic.sandbox.answers.account_shapes import About
from primepods_magic.sandbox.answers.answer import Answer
from primepods_magic.sandbox.clock import iso
from primepods_magic.sandbox.world import TheWorld, World

router = APIRouter(prefix="/sandbox")


@router.get("")
async def about(world: TheWorld) -> Answer[About]:
    """What answers here, and what time it is."""
    with world.reading():
        return Answer(about_json(world))


def about_json(world: World) -> About:
    """What answers here; call inside a transaction."""
    clock = world.store.clock()
    return {
        "product": "primepods_magic sandbox",
        "instance": world.store.instance(),
        "dialect": world.dialect,
        "clock": {"mode": clock.mode, "speed": clock.speed, "now": iso(clock.now_ms())},
    }
