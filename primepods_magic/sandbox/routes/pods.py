"""Routes of pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from primepods_magic.sandbox.domain.install_log import log_text
from primepods_magic.sandbox.domain.records import PodRecord
from primepods_magic.sandbox.faults.rules import ON_TIME, CommitDelay
from primepods_magic.sandbox.http.api_keys import KeyDep
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
from .response import ApiResponse, ApiRoute, error_responses
from .serializers import history_json, pod_json, status_json

__all__ = ["router"]

router = APIRouter(prefix="/pods", route_class=ApiRoute)

_DEFAULT_TAIL_LINES = 100


async def _get_commit_delay(request: Request) -> CommitDelay:
    commit_delay: CommitDelay = getattr(request.state, "commit_delay", ON_TIME)
    return commit_delay


@router.post("", responses=error_responses(402, 404, 409))
async def create_pod(
    order: CreateBody,
    key: KeyDep,
    service: ServiceDep,
    commit_delay: Annotated[CommitDelay, Depends(_get_commit_delay)],
) -> ApiResponse[Pod]:
    """Create a pod. It starts by itself after this call returns."""
    record = service.launch(order, key, commit_delay)
    (pod,) = _serialize_pods(service, [record])
    return ApiResponse(pod)


@router.get("")
async def list_pods(
    key: KeyDep, service: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[PodList]:
    """List pods that are not TERMINATED, your own and your teams', oldest first."""
    limit = service.page(limit)
    wallets = key.person.wallets()
    with service.reading() as now_ms:
        records = service.store.pods.page(now_ms, wallets, limit=limit, offset=offset)
        total_count = service.store.pods.count_listed(now_ms, wallets)
        return ApiResponse(
            {**envelope(total_count, offset, limit), "data": _serialize_pods(service, records)}
        )


@router.get("/status")
async def pods_status(
    key: KeyDep, service: ServiceDep, pod_ids: Annotated[list[str] | None, Query()] = None
) -> ApiResponse[PodStates | SpecOnePodState]:
    """Show the states of the given pods. Unknown ids are left out; a pod that ended is TERMINATED."""
    requested = list(dict.fromkeys(pod_ids or []))
    wallets = key.person.wallets()
    with service.reading() as now_ms:
        all_records = [service.store.pods.get(pod_id, now_ms, wallets, listed=True) for pod_id in requested]
        records = [record for record in all_records if record is not None]
        states = service.states(records)
    rows = [
        status_json(record, state, service.dialect)
        for record, state in zip(service.reachable(records, states), states, strict=True)
    ]
    if service.dialect == "spec" and len(requested) == 1 and rows:
        # A single pod is also the top-level object; its `status` wins over the envelope's.
        row = cast(SpecPodState, rows[0])
        return ApiResponse({"data": [row], **row})
    return ApiResponse({"data": rows, "status": None})


@router.get("/history")
async def pods_history(
    key: KeyDep,
    service: ServiceDep,
    offset: Offset = 0,
    limit: Limit = 100,
    sort_by: SortBy = "terminatedAt",
    sort_order: SortOrder = "desc",
) -> ApiResponse[HistoryList]:
    """List terminated pods and the amounts billed so far."""
    limit = service.page(limit)
    wallets = key.person.wallets()
    with service.reading() as now_ms:
        rows = service.store.history.page(
            now_ms, wallets, limit=limit, offset=offset, sort_by=sort_by, sort_order=sort_order
        )
        total_count = service.store.history.count(now_ms, wallets)
    data = [history_json(row, now_ms) for row in rows]
    return ApiResponse({**envelope(total_count, offset, limit), "data": data})


@router.get("/{pod_id}", responses=error_responses(404))
async def pod_details(pod_id: str, key: KeyDep, service: ServiceDep) -> ApiResponse[Pod]:
    """Show one pod that is not TERMINATED."""
    with service.reading():
        record, _ = service.live_pod(pod_id, key.person, listed=True)
        (pod,) = _serialize_pods(service, [record])
    return ApiResponse(pod)


@router.get("/{pod_id}/logs", responses=error_responses(404))
@router.get("/{pod_id}/log", responses=error_responses(404))
async def pod_logs(
    pod_id: str, key: KeyDep, service: ServiceDep, tail: Annotated[int | None, Query(ge=0)] = None
) -> ApiResponse[PodLog]:
    """Show the newest lines of the installation log, 100 unless `tail` is given."""
    with service.reading() as now_ms:
        record = service.store.pods.get(pod_id, now_ms, key.person.wallets())
        if record is None:
            raise HTTPException(404, f"Pod not found: {pod_id}")
        events = service.store.pods.events([pod_id])[pod_id]
    return ApiResponse(
        {"logs": log_text(record, events, now_ms, tail=_DEFAULT_TAIL_LINES if tail is None else tail)}
    )


@router.delete("/{pod_id}", responses=error_responses(404, 409))
async def delete_pod(pod_id: str, key: KeyDep, service: ServiceDep) -> ApiResponse[Deleted]:
    """Terminate a pod. It is DELETING for a moment."""
    _, state = service.record_event(pod_id, "delete", key.person)
    return ApiResponse({"status": state.status})


def _serialize_pods(service: SandboxService, records: Sequence[PodRecord]) -> list[Pod]:
    disks = {
        disk.id: disk
        for disk in service.store.disks.of_ids(disk_id for record in records for disk_id in record.disk_ids)
    }
    states = service.states(records)
    return [
        pod_json(record, state, service.dialect, disks)
        for record, state in zip(service.reachable(records, states), states, strict=True)
    ]
