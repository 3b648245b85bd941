"""What the sandbox remembers: pods and disks that were ordered, keys, and rows of the history."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from .billing import Rates
from .lifecycle import Plan


@dataclass(frozen=True)
class Node:
    """One machine of a pod and how to reach it."""

    ip: str
    ssh_user: str
    ssh_port: int

    @property
    def ssh_connection(self) -> str:
        """As the API writes it: ``root@203.0.113.7 -p 22``."""
        return f"{self.ssh_user}@{self.ip} -p {self.ssh_port}"


@dataclass(frozen=True)
class PodRecord:
    """A pod as it was ordered. What changes with time is computed by :mod:`.renting.lifecycle`, never kept.

    Passwords and environment values are not here: nothing needs them, so nothing can leak them.
    """

    id: str
    user_id: str
    team_id: str | None
    wallet_id: str
    cluster_id: str | None
    name: str
    created_ms: int
    provider: str
    gpu_type: str
    gpu_count: int
    socket: str
    image: str
    custom_template_id: str | None
    memory_gb: int
    disk_gb: int
    vcpus: int
    is_spot: bool
    auto_restart: bool
    disk_ids: tuple[str, ...]
    nodes: tuple[Node, ...]
    jupyter_port: int | None
    rates: Rates
    plan: Plan

    def to_json(self) -> str:
        """For the database; :meth:`from_json` reads it back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    # What is written never changes, and lists are asked for again and again.
    @classmethod
    @lru_cache(maxsize=4096)
    def from_json(cls, text: str) -> PodRecord:
        """Read what :meth:`to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw["disk_ids"] = tuple(raw["disk_ids"])
        raw["nodes"] = tuple(Node(**node) for node in raw["nodes"])
        raw["rates"] = Rates(**raw["rates"])
        raw["plan"] = Plan(**raw["plan"])
        return cls(**raw)


class DiskRecord(NamedTuple):
    """A disk, which survives the pods it is attached to, in the order of the database's columns."""

    id: str
    user_id: str
    team_id: str | None
    wallet_id: str
    name: str
    created_ms: int
    updated_ms: int
    deleted_ms: int | None
    """When it was told to go."""
    provider: str
    cloud_id: str | None
    data_center: str | None
    country: str | None
    size_gb: int
    is_multinode: bool
    price_usd_hr: float


class SshKey(NamedTuple):
    """A public key that new pods accept, in the order of the database's columns."""

    id: str
    user_id: str
    name: str
    public_key: str
    is_primary: bool
    created_ms: int
    updated_ms: int


class HistoryRow(NamedTuple):
    """One row of ``/pods/history``, in the order of the database's columns."""

    id: str
    name: str
    provider: str
    provisioned_by: str | None
    type: str
    created_ms: int
    terminated_ms: int
    gpu_name: str
    gpu_count: int
    socket: str | None
    price_usd_hr: float
    user_id: str
    team_id: str | None
    wallet_id: str
    billed_usd: float
    settled_ms: int
    """When the service has billed all of it; never before it ended."""
    early_usd: float
    """What it has billed until then."""

    def shown_usd(self, now_ms: int) -> float:
        """What the service says at ``now_ms`` that it has cost."""
        return self.billed_usd if now_ms >= self.settled_ms else self.early_usd
