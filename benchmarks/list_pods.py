"""A page of 100 pods through our client, against the least that HTTP and JSON can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.harness import Contestant, timed
from primepods_magic.api.client import Client
from primepods_magic.api.settings import Settings
from tests.support.sandbox_control import SandboxControl, controlled

PODS = "/api/v1/pods/"
PAGE = 100


def rent(control: SandboxControl, name: str) -> None:
    pod = {"name": name, "cloudId": "n3-H100x1", "gpuType": "H100_80GB", "socket": "PCIe", "gpuCount": 1}
    body = {"pod": {**pod, "image": "ubuntu_22_cuda_12"}, "provider": {"type": "hyperstack"}}
    answer = control.api.post(PODS, json=body)
    assert answer.is_success, answer.text


@contextmanager
def list_pods() -> Iterator[dict[str, Contestant]]:
    """One kept-alive connection each, to the same sandbox."""
    with (
        controlled(clock="stepped") as control,
        Client(Settings(base_url=control.url, api_key=control.key)) as client,
    ):
        for number in range(PAGE):
            rent(control, f"pod-{number}")

        def bare() -> Any:
            pods = json.loads(control.api.get(PODS, params={"limit": PAGE}).content)["data"]
            assert len(pods) == PAGE
            return pods

        def ours() -> Any:
            pods = client.list_pods(limit=PAGE)
            assert len(pods.items) == PAGE
            return pods

        yield {"httpx and json": timed(bare), "our client": timed(ours)}
