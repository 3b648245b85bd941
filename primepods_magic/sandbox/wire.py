"""Pods and history rows as JSON, in either dialect of the API."""

from __future__ import annotations

from typing import Any

from . import people
from .clock import iso
from .lifecycle import Installation, State
from .records import HistoryRow, PodRecord
from .vocabulary import Dialect, InstallationStatus

_PUBLISHED_INSTALLATION: dict[InstallationStatus, str] = {
    "PENDING": "PENDING",
    "IN_PROGRESS": "ACTIVE",
    "COMPLETE": "FINISHED",
    "FAILED": "ERROR",
    "TERMINATED": "TERMINATED",
}


def pod_json(record: PodRecord, state: State, dialect: Dialect) -> dict[str, Any]:
    """A pod, with every key of the specification and of the published documents."""
    return {
        "id": record.id,
        "userId": record.user_id,
        "teamId": record.team_id,
        "walletId": record.wallet_id,
        "clusterId": record.cluster_id,
        "customTemplateId": record.custom_template_id,
        "name": record.name,
        "type": "HOSTED",
        "providerType": record.provider,
        "status": state.status,
        **_installation(state.installation, dialect),
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(state.since_ms),
        "terminatedAt": iso(state.since_ms) if state.status == "TERMINATED" else None,
        "gpuName": record.gpu_type,
        "gpuCount": record.gpu_count,
        "socket": record.socket,
        "priceHr": record.rates.running,
        "stoppedPriceHr": record.rates.stopped,
        "provisioningPriceHr": record.rates.provisioning,
        "environmentType": record.image,
        **_connection(record, state),
        "resources": _resources(record, dialect),
        "attachedResources": _attached(record, state),
        "isSpot": record.is_spot,
        "autoRestart": record.auto_restart,
    }


def status_json(record: PodRecord, state: State, dialect: Dialect) -> dict[str, Any]:
    """One row of ``/pods/status``."""
    row: dict[str, Any] = {"podId": record.id, "providerType": record.provider, "status": state.status}
    if dialect == "spec":
        row["costPerHr"] = record.rates.running
    row["priceHr"] = record.rates.running
    return {**row, **_connection(record, state), **_installation(state.installation, dialect)}


def history_json(row: HistoryRow) -> dict[str, Any]:
    """One row of ``/pods/history``."""
    return {
        "id": row.id,
        "name": row.name,
        "providerType": row.provider,
        "provisionedBy": row.provisioned_by,
        "type": row.type,
        "createdAt": iso(row.created_ms),
        "terminatedAt": iso(row.terminated_ms),
        "gpuName": row.gpu_name,
        "gpuCount": row.gpu_count,
        "socket": row.socket,
        "priceHr": row.price_usd_hr,
        "userId": row.user_id,
        "teamId": row.team_id,
        "totalBilledPrice": row.billed_usd,
    }


def _installation(installation: Installation, dialect: Dialect) -> dict[str, Any]:
    status = installation.status
    return {
        "installationStatus": status if dialect == "spec" else _PUBLISHED_INSTALLATION[status],
        "installationFailure": installation.failure,
        "installationProgress": installation.progress_percent,
    }


def _connection(record: PodRecord, state: State) -> dict[str, Any]:
    ssh: list[str | None] | str | None = None
    ip: list[str | None] | str | None = None
    ports: list[dict[str, Any]] = []
    if state.status == "STOPPED":
        ssh, ip = [None] * len(record.nodes), [None] * len(record.nodes)
    elif state.status == "ACTIVE":
        known = state.connected_nodes
        ssh_by_node = [node.ssh_connection if i < known else None for i, node in enumerate(record.nodes)]
        if record.cluster_id is None:
            ssh, ip = ssh_by_node[0], record.nodes[0].ip
        else:
            ssh, ip = [*ssh_by_node], [node.ip for node in record.nodes]
        ports = _ports(record)
    return {"sshConnection": ssh, "ip": ip, "primePortMapping": ports}


def _ports(record: PodRecord) -> list[dict[str, Any]]:
    rows = [_port("22", record.nodes[0].ssh_port, "SSH", None)]
    if record.jupyter_port is not None:
        rows.append(_port("8888", record.jupyter_port, "JUPYTER_NOTEBOOK", "JupyterLab"))
    return rows


def _port(internal: str, external: int, used_by: str, description: str | None) -> dict[str, Any]:
    return {
        "internal": internal,
        "external": str(external),
        "protocol": "TCP",
        "usedBy": used_by,
        "description": description,
    }


def _resources(record: PodRecord, dialect: Dialect) -> dict[str, Any]:
    if dialect == "spec":
        return {"memory": str(record.memory_gb), "disk": str(record.disk_gb), "vcpus": str(record.vcpus)}
    return {
        "memory": record.memory_gb,
        "disk": record.disk_gb,
        "shared_disk": None,
        "vcpus": record.vcpus,
    }


def _attached(record: PodRecord, state: State) -> list[dict[str, Any]]:
    disks = (people.disk(disk_id) for disk_id in record.disk_ids)
    return [
        {
            "resourceType": "DISK",
            "id": disk.id,
            "status": "MOUNTED" if state.status == "ACTIVE" else "ATTACHED",
            "isDetachable": True,
            "mountPath": "/workspace",
            "resourcePath": None,
            "size": disk.size_gb,
            "isShared": False,
        }
        for disk in disks
        if disk is not None
    ]
