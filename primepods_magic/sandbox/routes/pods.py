"""The pods: create, list, details, status, history, logs and delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from primepods_magic.sandbox.faults import ON_TIME, Lateness
from primepods_magic.sandbox.install_log import log_text
from primepods_magic.sandbox.orders import Order
from primepods_magic.sandbox.vocabulary import SortBy, SortOrder
from primepods_magic.sandbox.wire import history_json, pod_json, status_json
from primepods_magic.sandbox.world import TheWorld

router = APIRouter(prefix="/pods")

Offset = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=0, le=2**53)]


async def _lateness(request: Request) -> Lateness:
    lateness: Lateness = getattr(request.state, "lateness", ON_TIME)
    return lateness


@router.post("")
async def create_pod(
    order: Order, world: TheWorld, lateness: Annotated[Lateness, Depends(_lateness)]
) -> dict[str, Any]:
    """Buy a pod; it answers at once and comes up by itself."""
    record = world.launch(order, lateness)
    return pod_json(record, world.state(record), world.dialect)


@router.get("")
async def list_pods(world: TheWorld, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """The pods that are not TERMINATED, oldest first."""
    limit = world.page(limit)
    with world.store.reading():
        now_ms = world.now_ms()
        records = world.store.listed_pods(now_ms, limit=limit, offset=offset)
        return {
            "total_count": world.store.count_listed_pods(now_ms),
            "offset": offset,
            "limit": limit,
            "data": [pod_json(record, world.state(record), world.dialect) for record in records],
            "status": None,
        }


@router.get("/status")
async def pods_status(
    world: TheWorld, pod_ids: Annotated[list[str] | None, Query()] = None
) -> dict[str, Any]:
    """The states of the pods asked for. Unknown ids are left out; a pod that ended is TERMINATED."""
    rows = []
    with world.store.reading():
        now_ms = world.now_ms()
        for pod_id in dict.fromkeys(pod_ids or []):
            record = world.store.pod(pod_id, now_ms, listed=True)
            if record is not None:
                rows.append(status_json(record, world.state(record), world.dialect))
    answer: dict[str, Any] = {"data": rows, "status": None}
    if world.dialect == "spec" and len(pod_ids or []) == 1 and rows:
        # The page documents the object itself; its `status` is the pod's and wins over the envelope's.
        return {**answer, **rows[0]}
    return answer


@router.get("/history")
async def pods_history(
    world: TheWorld,
    offset: Offset = 0,
    limit: Limit = 100,
    sort_by: SortBy = "terminatedAt",
    sort_order: SortOrder = "desc",
) -> dict[str, Any]:
    """What has ended, and what it cost."""
    limit = world.page(limit)
    with world.store.reading():
        now_ms = world.now_ms()
        rows = world.store.history(now_ms, limit=limit, offset=offset, sort_by=sort_by, sort_order=sort_order)
        return {
            "total_count": world.store.count_history(now_ms),
            "offset": offset,
            "limit": limit,
            "data": [history_json(row) for row in rows],
            "status": None,
        }


@router.get("/{pod_id}")
async def pod_details(pod_id: str, world: TheWorld) -> dict[str, Any]:
    """One pod that is not TERMINATED."""
    with world.store.reading():
        record, state = world.live_pod(pod_id, listed=True)
        return pod_json(record, state, world.dialect)


@router.get("/{pod_id}/logs")
@router.get("/{pod_id}/log")
async def pod_logs(
    pod_id: str, world: TheWorld, tail: Annotated[int | None, Query(ge=0)] = None
) -> dict[str, str]:
    """The newest lines of a pod's installation log, 100 unless ``tail`` says otherwise."""
    with world.store.reading():
        now_ms = world.now_ms()
        record = world.store.pod(pod_id, now_ms)
        if record is None:
            raise HTTPException(404, f"Pod not found: {pod_id}")
        events = world.store.events(pod_id)
    return {"logs": log_text(record, events, now_ms, tail=100 if tail is None else tail)}


@router.delete("/{pod_id}")
async def delete_pod(pod_id: str, world: TheWorld) -> dict[str, str]:
    """End a pod; it is DELETING for a moment and then gone."""
    _, state = world.record_event(pod_id, "delete")
    return {"status": state.status}
