"""Frames of pods and of their status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

import pandas as pd

from primepods_magic.api.models import AttachedResource, PodDetails, PodStatusEntry, PortMapping

from .schema import Column, build, lines, plain

__all__ = ["POD_COLUMNS", "pods_frame", "status_frame"]


def pods_frame(pods: Iterable[PodDetails]) -> pd.DataFrame:
    """Build a frame of pods, in the order given.

    It holds neither the Jupyter password nor environment values. Several nodes, ports or disks of a pod are
    the lines of one text. Undocumented single values follow as ``object`` columns.

    >>> df = pods_frame([PodDetails(name="train", status="ACTIVE", price_hr=2.34)])
    >>> df[["name", "status", "price_usd_hr"]].to_dict("records")
    [{'name': 'train', 'status': 'ACTIVE', 'price_usd_hr': 2.34}]
    """
    return build(_POD_COLUMNS, pods)


def status_frame(entries: Iterable[PodStatusEntry], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Build a frame of status entries, in the order given, with names where they are known by id.

    >>> df = status_frame([PodStatusEntry(pod_id="p1", installation_progress=42)], names={"p1": "train"})
    >>> df[["name", "installation_progress"]].to_dict("records")
    [{'name': 'train', 'installation_progress': 42.0}]
    """
    known = names or {}
    entries = list(entries)
    pods = [PodDetails(id=entry.key, name=known.get(entry.key or "")).updated(entry) for entry in entries]
    return build(_STATUS_COLUMNS, pods, source_rows=entries)


def _list_connections(pod: PodDetails) -> str | None:
    return lines(target.command for target in pod.connections if target)


def _list_addresses(pod: PodDetails) -> str | None:
    if isinstance(pod.ip, str):
        return pod.ip
    return lines(ip for ip in pod.ip or () if isinstance(ip, str))


def _list_ports(pod: PodDetails) -> str | None:
    return lines(_format_port(mapping) for mapping in pod.prime_port_mapping)


def _format_port(mapping: PortMapping) -> str:
    inside = "/".join(filter(None, (mapping.internal, mapping.protocol)))
    use = ", ".join(filter(None, (mapping.used_by, mapping.description)))
    return f"{inside} -> {mapping.external or '?'} {use}".strip()


def _list_disks(pod: PodDetails) -> str | None:
    return lines(_format_disk(resource) for resource in pod.attached_resources)


def _format_disk(resource: AttachedResource) -> str:
    size = None if resource.size is None else f"{resource.size:g} GB"
    return " ".join(
        filter(None, (resource.resource_type, resource.id, resource.status, size, resource.mount_path))
    )


_POD_COLUMNS: tuple[Column[PodDetails], ...] = (
    Column("name", "string", attrgetter("name")),
    Column("status", "string", lambda pod: plain(pod.status)),
    Column("installation_status", "string", lambda pod: plain(pod.installation_status)),
    Column("installation_progress", "Float64", attrgetter("installation_progress")),
    Column("gpu", "string", attrgetter("gpu_name")),
    Column("gpu_count", "Int64", attrgetter("gpu_count")),
    Column("price_usd_hr", "Float64", attrgetter("price_hr")),
    Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
    Column("provider", "string", attrgetter("provider_type")),
    Column("ssh", "string", attrgetter("ssh")),
    Column("id", "string", attrgetter("id")),
    Column("socket", "string", attrgetter("socket")),
    Column("ip", "string", _list_addresses),
    Column("image", "string", attrgetter("environment_type")),
    Column("vcpus", "Float64", lambda pod: pod.resources and pod.resources.vcpus),
    Column("memory_gb", "Float64", lambda pod: pod.resources and pod.resources.memory),
    Column("disk_gb", "Float64", lambda pod: pod.resources and pod.resources.disk),
    Column("is_spot", "boolean", attrgetter("is_spot")),
    Column("auto_restart", "boolean", attrgetter("auto_restart")),
    Column("team_id", "string", attrgetter("team_id")),
    Column("user_id", "string", attrgetter("user_id")),
    Column("is_ready", "boolean", attrgetter("is_ready")),
    Column("installation_failure", "string", attrgetter("installation_failure")),
    Column("connections", "string", _list_connections),
    Column("jupyter_url", "string", attrgetter("jupyter_url")),
    Column("ports", "string", _list_ports),
    Column("attached_disks", "string", _list_disks),
    Column("shared_disk_gb", "Float64", lambda pod: pod.resources and pod.resources.shared_disk),
    Column("stopped_price_usd_hr", "Float64", attrgetter("stopped_price_hr")),
    Column("provisioning_price_usd_hr", "Float64", attrgetter("provisioning_price_hr")),
    Column("updated_at", "datetime64[us, UTC]", attrgetter("updated_at")),
    Column("terminated_at", "datetime64[us, UTC]", attrgetter("terminated_at")),
    Column("custom_template_id", "string", attrgetter("custom_template_id")),
    Column("cluster_id", "string", attrgetter("cluster_id")),
    Column("wallet_id", "string", attrgetter("wallet_id")),
    Column("type", "string", attrgetter("type")),
)

_STATUS_NAMES = (
    "name status installation_status installation_progress price_usd_hr provider ssh id ip is_ready "
    "installation_failure connections jupyter_url ports"
).split()

_STATUS_COLUMNS = tuple(column for name in _STATUS_NAMES for column in _POD_COLUMNS if column.name == name)

POD_COLUMNS = tuple(column.name for column in _POD_COLUMNS)
"""Columns of every frame of pods, in order."""
