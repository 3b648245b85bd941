"""Pods, and the status of pods, as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

import pandas as pd

from primepods_magic.api.models import AttachedResource, PodDetails, PodStatusEntry, PortMapping

from .schema import Column, build, lines, plain

__all__ = ["POD_COLUMNS", "pods_frame", "status_frame"]


def pods_frame(pods: Iterable[PodDetails]) -> pd.DataFrame:
    """Pods as a frame, in the order given.

    Neither the Jupyter password nor environment values are in it. Where a pod has several of
    something (nodes, ports, disks) they are the lines of one text.

    Parameters
    ----------
    pods : iterable of PodDetails
        What the service says about each pod.

    Returns
    -------
    pandas.DataFrame
        ==================================  =======  ==========================================
        ``name, status``                    string
        ``installation_status``             string   in the specification's words
        ``installation_progress``           Float64  percent
        ``gpu``                             string   GPU type
        ``gpu_count``                       Int64
        ``price_usd_hr``                    Float64  USD per hour, the whole pod
        ``created_at``                      datetime64[us, UTC]
        ``provider``                        string
        ``ssh``                             string   command for the first node that is up
        ``id, socket``                      string
        ``ip, image``                       string   a line for each node; software image
        ``vcpus, memory_gb, disk_gb``       Float64  memory and disk in GB
        ``is_spot, auto_restart``           boolean
        ``team_id, user_id``                string
        ``is_ready``                        boolean  ACTIVE, every node reachable, installed
        ``installation_failure``            string   what went wrong
        ``connections``                     string   an ssh command for each node that is up
        ``jupyter_url, ports``              string   a line for each port mapping
        ``attached_disks``                  string   a line for each disk
        ``shared_disk_gb``                  Float64  GB
        ``stopped_price_usd_hr``            Float64  USD per hour while stopped
        ``provisioning_price_usd_hr``       Float64  USD per hour while it comes up
        ``updated_at, terminated_at``       datetime64[us, UTC]
        ``custom_template_id, cluster_id``  string
        ``wallet_id, type``                 string
        ==================================  =======  ==========================================

        and after them, as ``object``, single values that the service sends beyond its documentation.

    Examples
    --------
    >>> df = pods_frame([PodDetails(name="train", status="ACTIVE", price_hr=2.34)])
    >>> df[["name", "status", "price_usd_hr"]].to_dict("records")
    [{'name': 'train', 'status': 'ACTIVE', 'price_usd_hr': 2.34}]
    """
    return build(_POD_COLUMNS, pods)


def status_frame(entries: Iterable[PodStatusEntry], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Answers of the status endpoint as a frame, in the order given.

    Parameters
    ----------
    entries : iterable of PodStatusEntry
        What the service says about each pod that was asked for.
    names : mapping of id to name, optional
        The endpoint knows ids only; where a name is known it is put beside the id.

    Returns
    -------
    pandas.DataFrame
        ``name, status, installation_status, installation_progress, price_usd_hr, provider, ssh, id,
        ip, is_ready, installation_failure, connections, jupyter_url, ports``, as in `pods_frame`.

    Examples
    --------
    >>> df = status_frame([PodStatusEntry(pod_id="p1", installation_progress=42)], names={"p1": "train"})
    >>> df[["name", "installation_progress"]].to_dict("records")
    [{'name': 'train', 'installation_progress': 42.0}]
    """
    known = names or {}
    entries = list(entries)
    pods = [PodDetails(id=entry.key, name=known.get(entry.key or "")).updated(entry) for entry in entries]
    return build(_STATUS_COLUMNS, pods, told_by=entries)


def _connections(pod: PodDetails) -> str | None:
    return lines(target.command for target in pod.connections if target)


def _ip(pod: PodDetails) -> str | None:
    if isinstance(pod.ip, str):
        return pod.ip
    return lines(ip for ip in pod.ip or () if isinstance(ip, str))


def _ports(pod: PodDetails) -> str | None:
    return lines(_port(mapping) for mapping in pod.prime_port_mapping)


def _port(mapping: PortMapping) -> str:
    inside = "/".join(filter(None, (mapping.internal, mapping.protocol)))
    use = ", ".join(filter(None, (mapping.used_by, mapping.description)))
    return f"{inside} -> {mapping.external or '?'} {use}".strip()


def _attached_disks(pod: PodDetails) -> str | None:
    return lines(_attached(resource) for resource in pod.attached_resources)


def _attached(resource: AttachedResource) -> str:
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
    Column("ip", "string", _ip),
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
    Column("connections", "string", _connections),
    Column("jupyter_url", "string", attrgetter("jupyter_url")),
    Column("ports", "string", _ports),
    Column("attached_disks", "string", _attached_disks),
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
"""What every frame of pods has, in this order."""
