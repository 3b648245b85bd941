"""Serializers of pods and history rows, in either dialect of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.lifecycle import State
from primepods_magic.sandbox.domain.records import DiskRecord, HistoryRow, PodRecord
from primepods_magic.sandbox.schemas.enums import (
    Dialect,
    GpuType,
    Image,
    InstallationStatus,
    ProviderType,
    Socket,
)
from primepods_magic.sandbox.schemas.responses import (
    AttachedResource,
    ConnectionField,
    HistoryEntry,
    HistoryKind,
    OneOrPerNode,
    Pod,
    PodCommon,
    PodState,
    PodStateCommon,
    PortMapping,
    PortUse,
    Progress,
    PublishedInstallationStatus,
    PublishedPod,
    PublishedPodState,
    SpecPod,
    SpecPodState,
)

__all__ = ["history_json", "pod_json", "status_json"]

_PUBLISHED_INSTALLATION: dict[InstallationStatus, PublishedInstallationStatus] = {
    "PENDING": "PENDING",
    "IN_PROGRESS": "ACTIVE",
    "COMPLETE": "FINISHED",
    "FAILED": "ERROR",
    "TERMINATED": "TERMINATED",
}


def pod_json(record: PodRecord, state: State, dialect: Dialect, disks: Mapping[str, DiskRecord]) -> Pod:
    """Serialize a pod; disks missing from `disks` are left out."""
    common: PodCommon = {
        "id": record.id,
        "userId": record.user_id,
        "teamId": record.team_id,
        "walletId": record.wallet_id,
        "clusterId": record.cluster_id,
        "customTemplateId": record.custom_template_id,
        "name": record.name,
        "type": "HOSTED",
        "providerType": cast(ProviderType, record.provider),
        "status": state.status,
        **_serialize_progress(state),
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(state.since_ms),
        "terminatedAt": iso(state.since_ms) if state.status == "TERMINATED" else None,
        "gpuName": cast(GpuType, record.gpu_type),
        "gpuCount": record.gpu_count,
        "socket": cast(Socket, record.socket),
        "priceHr": state.price_usd_hr,
        "stoppedPriceHr": record.rates.stopped,
        "provisioningPriceHr": record.rates.provisioning,
        "environmentType": cast(Image, record.image),
        **_serialize_connection(record, state),
        "attachedResources": [
            _serialize_disk(disks[disk_id], state) for disk_id in record.disk_ids if disk_id in disks
        ],
        "isSpot": record.is_spot,
        "autoRestart": record.auto_restart,
    }
    if dialect == "spec":
        spec: SpecPod = {
            **common,
            "installationStatus": state.installation.status,
            "resources": {
                "memory": str(record.memory_gb),
                "disk": str(record.disk_gb),
                "vcpus": str(record.vcpus),
            },
        }
        return spec
    published: PublishedPod = {
        **common,
        "installationStatus": _PUBLISHED_INSTALLATION[state.installation.status],
        "resources": {
            "memory": record.memory_gb,
            "disk": record.disk_gb,
            "shared_disk": None,
            "vcpus": record.vcpus,
        },
    }
    return published


def status_json(record: PodRecord, state: State, dialect: Dialect) -> PodState:
    """Serialize a row of `/pods/status`."""
    common: PodStateCommon = {
        "podId": record.id,
        "providerType": cast(ProviderType, record.provider),
        "status": state.status,
        "priceHr": state.price_usd_hr,
        **_serialize_connection(record, state),
        **_serialize_progress(state),
    }
    status = state.installation.status
    if dialect == "spec":
        spec: SpecPodState = {**common, "costPerHr": state.price_usd_hr, "installationStatus": status}
        return spec
    published: PublishedPodState = {**common, "installationStatus": _PUBLISHED_INSTALLATION[status]}
    return published


def history_json(row: HistoryRow, now_ms: int) -> HistoryEntry:
    """Serialize a row of `/pods/history` as of `now_ms`."""
    return {
        "id": row.id,
        "name": row.name,
        "providerType": row.provider,
        "provisionedBy": row.provisioned_by,
        "type": cast(HistoryKind, row.type),
        "createdAt": iso(row.created_ms),
        "terminatedAt": iso(row.terminated_ms),
        "gpuName": row.gpu_name,
        "gpuCount": row.gpu_count,
        "socket": row.socket,
        "priceHr": row.price_usd_hr,
        "userId": row.user_id,
        "teamId": row.team_id,
        "totalBilledPrice": row.shown_usd(now_ms),
    }


def _serialize_progress(state: State) -> Progress:
    return {
        "installationFailure": state.installation.failure,
        "installationProgress": state.installation.progress_percent,
    }


def _serialize_connection(record: PodRecord, state: State) -> ConnectionField:
    ssh: OneOrPerNode = None
    ip: OneOrPerNode = None
    ports: list[PortMapping] = []
    if state.status == "STOPPED":
        ssh, ip = [None] * len(record.nodes), [None] * len(record.nodes)
    elif state.status == "ACTIVE":
        connected = state.connected_nodes
        ssh_by_node = [node.ssh_connection if i < connected else None for i, node in enumerate(record.nodes)]
        if record.cluster_id is None:
            ssh, ip = ssh_by_node[0], record.nodes[0].ip
        else:
            ssh, ip = [*ssh_by_node], [node.ip for node in record.nodes]
        ports = _serialize_ports(record)
    return {"sshConnection": ssh, "ip": ip, "primePortMapping": ports}


def _serialize_ports(record: PodRecord) -> list[PortMapping]:
    rows = [_serialize_port("22", record.nodes[0].ssh_port, "SSH", None)]
    if record.jupyter_port is not None:
        rows.append(_serialize_port("8888", record.jupyter_port, "JUPYTER_NOTEBOOK", "JupyterLab"))
    return rows


def _serialize_port(internal: str, external: int, used_by: PortUse, description: str | None) -> PortMapping:
    return {
        "internal": internal,
        "external": str(external),
        "protocol": "TCP",
        "usedBy": used_by,
        "description": description,
    }


def _serialize_disk(disk: DiskRecord, state: State) -> AttachedResource:
    return {
        "resourceType": "DISK",
        "id": disk.id,
        "status": "MOUNTED" if state.status == "ACTIVE" else "ATTACHED",
        "isDetachable": True,
        "mountPath": "/workspace",
        "resourcePath": None,
        "size": disk.size_gb,
        "isShared": False,
    }
