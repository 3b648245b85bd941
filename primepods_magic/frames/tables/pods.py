"""Frames of pods, of their status, and of terminated pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from primepods_magic.api.models import AttachedResource, PodDetails, PodStatusEntry, PortMapping

from .schema import SPAN, TIME, Column, build, pick

if TYPE_CHECKING:
    from primepods_magic.pods.terminate import TerminationResult

__all__ = ["PODS", "REMOVED", "STATUS", "pods_frame", "removed_frame", "status_frame"]


def pods_frame(pods: Iterable[PodDetails]) -> pd.DataFrame:
    """Build a frame of pods, in the order given.

    It holds neither the Jupyter password nor environment values. Several nodes, ports or disks of a pod are
    the lines of one text. Undocumented single values follow as ``object`` columns.

    >>> df = pods_frame([PodDetails(name="train", status="ACTIVE", price_hr=2.34)])
    >>> df[["name", "status", "price_usd_hr"]].to_dict("records")
    [{'name': 'train', 'status': 'ACTIVE', 'price_usd_hr': 2.34}]
    """
    return build(PODS, pods)


def status_frame(entries: Iterable[PodStatusEntry], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Build a frame of status entries, in the order given, with names where they are known by id.

    >>> df = status_frame([PodStatusEntry(pod_id="p1", installation_progress=42)], names={"p1": "train"})
    >>> df[["name", "installation_progress"]].to_dict("records")
    [{'name': 'train', 'installation_progress': 42.0}]
    """
    known = names or {}
    entries = list(entries)
    pods = [PodDetails(id=entry.key, name=known.get(entry.key or "")).updated(entry) for entry in entries]
    return build(STATUS, pods, source_rows=entries)


def removed_frame(removals: Iterable[TerminationResult]) -> pd.DataFrame:
    """Build a frame of termination results, in the order given.

    >>> from primepods_magic.pods.terminate import TerminationResult
    >>> removed_frame([TerminationResult("train", "p1", "terminated", 56.16)])["billed_usd"].tolist()
    [56.16]
    """
    return build(REMOVED, removals)


def _list_connections(pod: PodDetails) -> list[str]:
    return [target.command for target in pod.connections if target]


def _count_nodes(pod: PodDetails) -> int | None:
    return pod.nodes if pod.id or pod.name else None


def _list_addresses(pod: PodDetails) -> str | list[str] | None:
    return [ip for ip in pod.ip if isinstance(ip, str)] if isinstance(pod.ip, list) else pod.ip


def _list_ports(pod: PodDetails) -> list[str]:
    return [_format_port(mapping) for mapping in pod.prime_port_mapping]


def _format_port(mapping: PortMapping) -> str:
    inside = "/".join(filter(None, (mapping.internal, mapping.protocol)))
    use = ", ".join(filter(None, (mapping.used_by, mapping.description)))
    return f"{inside} -> {mapping.external or '?'} {use}".strip()


def _list_disks(pod: PodDetails) -> list[str]:
    return [_format_disk(resource) for resource in pod.attached_resources]


def _format_disk(resource: AttachedResource) -> str:
    size = None if resource.size is None else f"{resource.size:g} GB"
    return " ".join(
        filter(None, (resource.resource_type, resource.id, resource.status, size, resource.mount_path))
    )


def _compute_duration(removal: TerminationResult) -> timedelta | None:
    if removal.terminated_at is None or removal.created_at is None:
        return None
    return removal.terminated_at - removal.created_at


PODS: tuple[Column[PodDetails], ...] = (
    Column("name", "string", doc="name of the resource", format="strong"),
    Column(
        "status",
        "string",
        doc="PROVISIONING, PENDING, ACTIVE, STOPPED, ERROR, DELETING, TERMINATED or UNKNOWN",
    ),
    Column(
        "installation_status",
        "string",
        doc="PENDING, IN_PROGRESS, COMPLETE, FAILED or TERMINATED",
        format="installation",
    ),
    Column("installation_progress", "Float64", doc="percent"),
    Column("gpu", "string", "gpu_name", "GPU type"),
    Column("gpu_count", "Int64", "total_gpus", "GPUs of the whole pod or offer"),
    Column("price_usd_hr", "Float64", "price_hr", "USD per hour, in total"),
    Column("created_at", TIME, doc="when it was created"),
    Column("provider", "string", "provider_type", "owner of the machine"),
    Column(
        "ssh",
        "string",
        doc="ssh command, for the first node that is up",
        format="code",
        max_length=60,
    ),
    Column("id", "string", doc="id in the service", max_length=10),
    Column("socket", "string", doc="PCIe, SXM5, …"),
    Column("ip", "string", _list_addresses, "IP addresses, one per line"),
    Column("image", "string", "environment_type", "software image"),
    Column("vcpus", "Float64", "resources.vcpus", "vCPUs"),
    Column("memory_gb", "Float64", "resources.memory", "memory in GB"),
    Column("disk_gb", "Float64", "resources.disk", "disk in GB"),
    Column("is_spot", "boolean", doc="may be reclaimed by the provider; missing if unknown"),
    Column("auto_restart", "boolean", doc="restarts by itself after an error"),
    Column("team_id", "string", doc="id of the team that is billed"),
    Column("user_id", "string", doc="id of the person who launched it"),
    Column("is_ready", "boolean", doc="ACTIVE, every node reachable, installed"),
    Column("installation_failure", "string", doc="why the installation failed"),
    Column("nodes", "Int64", _count_nodes, "machines of the pod; missing while not known"),
    Column(
        "connections", "string", _list_connections, "ssh commands, one per line, for each node that is up"
    ),
    Column("jupyter_url", "string", doc="URL of its Jupyter server"),
    Column("ports", "string", _list_ports, "port mappings, one per line: internal port, external port, use"),
    Column("attached_disks", "string", _list_disks, "disks, one per line: id, state, size, mount path"),
    Column("shared_disk_gb", "Float64", "resources.shared_disk", "shared disk in GB"),
    Column(
        "stopped_price_usd_hr",
        "Float64",
        "stopped_price_hr",
        "USD per hour while stopped; missing if the same as while running",
    ),
    Column(
        "provisioning_price_usd_hr",
        "Float64",
        "provisioning_price_hr",
        "USD per hour while provisioning; missing if the same as while running",
    ),
    Column("updated_at", TIME, doc="when the service last changed it"),
    Column("terminated_at", TIME, doc="when it ended"),
    Column("custom_template_id", "string", doc="id of the template of its image"),
    Column("cluster_id", "string", doc="id of its cluster"),
    Column("wallet_id", "string", doc="id of the wallet that is billed"),
    Column("type", "string", doc="type of the resource"),
)

STATUS = (
    *pick(PODS, "name status installation_status installation_progress price_usd_hr provider ssh"),
    *pick(PODS, "id", max_length=32),
    *pick(PODS, "ip is_ready"),
    *pick(PODS, "installation_failure", max_length=60),
    *pick(PODS, "connections jupyter_url ports"),
)

REMOVED: tuple[Column[TerminationResult], ...] = (
    Column("name", "string", format="strong"),
    Column("id", "string", max_length=32),
    Column("outcome", "string", doc="result of the termination", max_length=60),
    Column("billed_usd", "Float64", doc="USD billed in total; missing if not billed yet", format="billed"),
    Column(
        "duration",
        SPAN,
        _compute_duration,
        "time from creation to end; missing if the end is unknown",
        format="duration",
    ),
    Column(
        "estimated_usd",
        "Float64",
        doc="USD by price and duration, shown as ≈ until the pod is billed; missing once it is",
    ),
)
