"""Numbers of GPUs and nodes: the machines of an offer or a pod, of which a multi-node one has several."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from .lenient_types import Count, number_in
from .ssh_target import SshTarget, count_targets

__all__ = [
    "MAX_NODE_GPUS",
    "Machines",
    "count_gpus",
    "count_nodes",
    "guess_nodes",
    "pad_nodes",
]

MAX_NODE_GPUS = 8
"""The most GPUs that a node of a multi-node offer has."""
# Multi-node offers have at least as many GPUs as two full nodes.
_FEWEST_GPUS = 2 * MAX_NODE_GPUS
# A tray of these has four.
_NODE_GPUS = {"GB200": 4, "GB300": 4}


def _count_cpu_node(value: object, info: ValidationInfo) -> object:
    """Count a CPU node with 0 GPUs as 1, as creates do."""
    kind = info.data.get("gpu_type") or info.data.get("gpu_name")
    return 1 if kind == "CPU_NODE" and number_in(value) == 0 else value


Machines = Annotated[Count, BeforeValidator(_count_cpu_node)]


def guess_nodes(gpu_type: str | None, gpu_count: int | None, *, is_multinode: bool) -> int | None:
    """Return the number of nodes of an offer: of a multi-node one the usual number, or None if it is odd.

    >>> [guess_nodes("H100_80GB", count, is_multinode=True) for count in (16, 20)]
    [2, None]
    >>> guess_nodes("GB200", 16, is_multinode=True), guess_nodes("H100_80GB", 16, is_multinode=False)
    (4, 1)
    """
    if not gpu_count:
        return None
    if not is_multinode:
        return 1
    node_gpus = _NODE_GPUS.get((gpu_type or "").partition("_")[0], MAX_NODE_GPUS)
    nodes, rest = divmod(gpu_count, node_gpus)
    return nodes if nodes > 1 and not rest else None


def count_nodes(ssh_connection: object, ip: object, cluster_id: str | None) -> int | None:
    """Return the number of a pod's nodes, as its connections or addresses list them; None if not known yet.

    >>> count_nodes([None, None], None, "c1"), count_nodes(None, None, "c1")
    (2, None)
    """
    targets = count_targets(ssh_connection)
    # A single machine may have several addresses.
    addresses = len(ip) if isinstance(ip, list) and (cluster_id or not targets) else 0
    return max(targets, addresses) or (None if cluster_id else 1)


def count_gpus(gpu_count: int | None, nodes: int | None) -> int | None:
    """Return the GPUs of a whole pod: services state those of one node, or of all.

    >>> count_gpus(16, 2), count_gpus(8, 2), count_gpus(8, 1)
    (16, 16, 8)
    """
    is_of_node = gpu_count is not None and nodes is not None and nodes > 1 and gpu_count < _FEWEST_GPUS
    return gpu_count * nodes if gpu_count and nodes and is_of_node else gpu_count


def pad_nodes(targets: tuple[SshTarget | None, ...], nodes: int | None) -> tuple[SshTarget | None, ...]:
    """Add None for each node that the list of connections leaves out, so that it counts as not up."""
    return (*targets, *[None] * max(0, (nodes or 0) - len(targets))) if targets else targets
