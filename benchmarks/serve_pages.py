"""Pages of a sandbox's lists: a small database, and one with 100,000 rows of history and 1,000 pods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx

from benchmarks.harness import Contestant, timed
from primepods_magic.sandbox import start

ROWS = 100_000
PODS = 1_000
_CPU_NODE = {"cloudId": "n3-CPUx1", "gpuType": "CPU_NODE", "socket": "PCIe", "gpuCount": 1}


@contextmanager
def serve_pages() -> Iterator[dict[str, Contestant]]:
    """One page of 100 rows per contestant, over a connection that stays open."""
    with ExitStack() as stack:
        small, big = (stack.enter_context(_sandbox(rows, pods)) for rows, pods in ((180, 100), (ROWS, PODS)))
        contestants = {
            "history, 180 rows": _page(small, "history?limit=100"),
            "history, 100,000 rows, first page": _page(big, "history?limit=100"),
            "history, 100,000 rows, in the middle": _page(big, f"history?limit=100&offset={ROWS // 2}"),
            "history, by creation, in the middle": _page(
                big, f"history?limit=100&offset={ROWS // 2}&sort_by=createdAt"
            ),
            "history, 100,000 rows, last page": _page(big, f"history?limit=100&offset={ROWS - 100}"),
            "pods, 100 live": _page(small, "?limit=100"),
            "pods, 1,000 live, first page": _page(big, "?limit=100"),
            "pods, 1,000 live, last page": _page(big, f"?limit=100&offset={PODS - 100}"),
        }
        yield contestants


def _page(client: httpx.Client, path: str) -> Contestant:
    return timed(partial(client.get, f"/api/v1/pods/{path}"))


@contextmanager
def _sandbox(rows: int, pods: int) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer sandbox"}
    with (
        start(clock="stepped", history=rows) as sandbox,
        httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False) as client,
    ):
        client.put("/sandbox/wallet", json={"balance_usd": 1e9}).raise_for_status()
        for number in range(pods):
            body = {"pod": {**_CPU_NODE, "name": f"pod-{number}"}, "provider": {"type": "hyperstack"}}
            client.post("/api/v1/pods", json=body).raise_for_status()
        yield client
