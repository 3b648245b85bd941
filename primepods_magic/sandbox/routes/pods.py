"""The pods: create, list, details, status, history, logs and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.install_log import log_text
from primepods_magic.sandbox.domain.records import PodRecord
from primepods_magic.sandbox.faults.rules import ON_TIME, CommitDelay
from primepods_magic.sandbox.http.api_keys import TheKey
from primepods_magic.sandbox.schemas.enums import SortBy, SortOrder
from primepods_magic.sandbox.schemas.requests import CreateBody
from primepods_magic.sandbox.schemas.responses import (
    Deleted,
    HistoryList,
    Pod,
    PodList,
    PodLog,
    PodStates,
    SpecOnePodState,
    SpecPodState,
)
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, envelope
from .response import ApiResponse
from .serializers import history_json, pod_json, status_json

router = APIRouter(prefix="/pods")

_STANDARD_TAIL = 100


async def _lateness(request: Request) -> CommitDelay:
    lateness: CommitDelay = getattr(request.state, "lateness", ON_TIME)
    return lateness


@router.post("", responses=refusals(402, 404, 409))
async def create_pod(
    order: CreateBody, key: TheKey, world: ServiceDep, lateness: Annotated[CommitDelay, Depends(_lateness)]
) -> ApiResponse[Pod]:
    """Buy a pod; it answers at once and comes up by itself."""
    record = world.launch(order, key, lateness)
    (pod,) = _pods(world, [record])
    return ApiResponse(pod)


@router.get("")
async def list_pods(
    key: TheKey, world: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[PodList]:
    """The pods that are not TERMINATED, one's own and those of one's teams, oldest first."""
    limit = world.page(limit)
    wallets = key.person.wallets()
    with world.reading() as now_ms:
        records = world.store.pods.page(now_ms, wallets, limit=limit, offset=offset)
        total_count = world.store.pods.count_listed(now_ms, wallets)
        return ApiResponse({**envelope(total_count, offset, limit), "data": _pods(world, records)})


@router.get("/status")
async def pods_status(
    key: TheKey, world: ServiceDep, pod_ids: Annotated[list[str] | None, Query()] = None
) -> ApiResponse[PodStates | SpecOnePodState]:
    """The states of the pods asked for. Unknown ids are left out; a pod that ended is TERMINATED."""
    asked = list(dict.fromkeys(pod_ids or []))
    wallets = key.person.wallets()
    with world.reading() as now_ms:
        found = [world.store.pods.get(pod_id, now_ms, wallets, listed=True) for pod_id in asked]
        records = [record for record in found if record is not None]
        states = world.states(records)
    rows = [status_json(record, state, world.dialect) for record, state in zip(records, states, strict=True)]
    if world.dialect == "spec" and len(asked) == 1 and rows:
        # The page documents the object itself; its `status` is the pod's and wins over the envelope's.
        row = cast(SpecPodState, rows[0])
        return ApiResponse({"data": [row], **row})
    return ApiResponse({"data": rows, "status": None})


@router.get("/history")
async def pods_history(
    key: TheKey,
    world: ServiceDep,
    offset: Offset = 0,
    limit: Limit = 100,
    sort_by: SortBy = "terminatedAt",
    sort_order: SortOrder = "desc",
) -> ApiResponse[HistoryList]:
    """What has ended, and what has been billed for it so far."""
    limit = world.page(limit)
    wallets = key.person.wallets()
    with world.reading() as now_ms:
        rows = world.store.history.page(
            now_ms, wallets, limit=limit, offset=offset, sort_by=sort_by, sort_order=sort_order
        )
        total_count = world.store.history.count(now_ms, wallets)
    data = [history_json(row, now_ms) for row in rows]
    return ApiResponse({**envelope(total_count, offset, limit), "data": data})


@router.get("/{pod_id}", responses=refusals(404))
async def pod_details(pod_id: str, key: TheKey, world: ServiceDep) -> ApiResponse[Pod]:
    """One pod that is not TERMINATED."""
    with world.reading():
        record, _ = world.live_pod(pod_id, key.person, listed=True)
        (pod,) = _pods(world, [record])
    return ApiResponse(pod)


@router.get("/{pod_id}/logs", responses=refusals(404))
@router.get("/{pod_id}/log", responses=refusals(404))
async def pod_logs(
    pod_id: str, key: TheKey, world: ServiceDep, tail: Annotated[int | None, Query(ge=0)] = None
) -> ApiResponse[PodLog]:
    """The newest lines of a pod's installation log, 100 unless ``tail`` says otherwise."""
    with world.reading() as now_ms:
        record = world.store.pods.get(pod_id, now_ms, key.person.wallets())
        if record is None:
            raise HTTPException(404, f"Pod not found: {pod_id}")
        events = world.store.pods.events([pod_id])[pod_id]
    return ApiResponse(
        {"logs": log_text(record, events, now_ms, tail=_STANDARD_TAIL if tail is None else tail)}
    )


@router.delete("/{pod_id}", responses=refusals(404, 409))
async def delete_pod(pod_id: str, key: TheKey, world: ServiceDep) -> ApiResponse[Deleted]:
    """End a pod; it is DELETING for a moment and then gone."""
    _, state = world.record_event(pod_id, "delete", key.person)
    return ApiResponse({"status": state.status})


def _pods(world: SandboxService, records: Sequence[PodRecord]) -> list[Pod]:
    disks = {
        disk.id: disk
        for disk in world.store.disks.of_ids(disk_id for record in records for disk_id in record.disk_ids)
    }
    states = world.states(records)
    return [
        pod_json(record, state, world.dialect, disks) for record, state in zip(records, states, strict=True)
    ]
