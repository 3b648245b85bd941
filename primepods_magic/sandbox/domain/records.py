"""Stored records: pods, disks, keys and history rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from .billing import Rates
from .lifecycle import Plan


@dataclass(frozen=True)
class Node:
    """One machine of a pod."""

    ip: str
    ssh_user: str
    ssh_port: int

    @property
    def ssh_connection(self) -> str:
        """The SSH arguments as the API formats them: `root@203.0.113.7 -p 22`."""
        return f"{self.ssh_user}@{self.ip} -p {self.ssh_port}"


@dataclass(frozen=True)
class PodRecord:
    """A pod as ordered, without passwords and environment values; `lifecycle` computes its state."""

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
    ssh_key_id: str | None = None
    """The only key that may log in; None: all keys of the account."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    # Stored records never change, and lists are read repeatedly.
    @classmethod
    @lru_cache(maxsize=4096)
    def from_json(cls, text: str) -> PodRecord:
        raw: dict[str, Any] = json.loads(text)
        raw["disk_ids"] = tuple(raw["disk_ids"])
        raw["nodes"] = tuple(Node(**node) for node in raw["nodes"])
        raw["rates"] = Rates(**raw["rates"])
        raw["plan"] = Plan(**raw["plan"])
        return cls(**raw)


class DiskRecord(NamedTuple):
    """A disk; the fields are in the order of the columns."""

    id: str
    user_id: str
    team_id: str | None
    wallet_id: str
    name: str
    created_ms: int
    updated_ms: int
    deleted_ms: int | None
    """When the delete was requested."""
    provider: str
    cloud_id: str | None
    data_center: str | None
    country: str | None
    size_gb: int
    is_multinode: bool
    price_usd_hr: float


class SshKey(NamedTuple):
    """A public key; the fields are in the order of the columns."""

    id: str
    user_id: str
    name: str
    public_key: str
    is_primary: bool
    created_ms: int
    updated_ms: int


class HistoryRow(NamedTuple):
    """A row of `/pods/history`; the fields are in the order of the columns."""

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
    """When billing is complete; never before the end."""
    early_usd: float
    """The amount billed until then."""

    def shown_usd(self, now_ms: int) -> float:
        """Return the amount the history shows at `now_ms`; some rows are billed late."""
        return self.billed_usd if now_ms >= self.settled_ms else self.early_usd
