"""Pods in the states that views show, and shells that remember what was displayed."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.watching.snapshot import Snapshot

EIGHT = datetime(2026, 11, 24, 8, 0, tzinfo=timezone.utc)
SSH = "root@203.0.113.7 -p 22"


def pod(
    name: str | None = "train",
    status: str = "ACTIVE",
    installation: str | None = None,
    progress: float | None = None,
    **more: Any,
) -> PodDetails:
    """A pod as the service describes it; `more` in the service's own keys."""
    return PodDetails.model_validate(
        {
            "id": hashlib.md5((name or "").encode(errors="replace"), usedforsecurity=False).hexdigest(),
            "name": name,
            "status": status,
            "installationStatus": installation,
            "installationProgress": progress,
            "gpuName": "H100_80GB",
            "gpuCount": 8,
            "priceHr": 2.69,
            "createdAt": EIGHT.isoformat(),
            **more,
        }
    )


def ready(name: str = "train", **more: Any) -> PodDetails:
    return pod(name, "ACTIVE", "COMPLETE", 100, **{"sshConnection": SSH, **more})


def failed(name: str = "train", reason: str | None = "no space left", **more: Any) -> PodDetails:
    return pod(name, "ACTIVE", "FAILED", 43, installationFailure=reason, **more)


def snapshot(*pods: PodDetails, after: float = 0, trouble: str | None = None, **more: Any) -> Snapshot:
    return Snapshot(pods, EIGHT + timedelta(seconds=after), trouble, **more)


class FrontEnd:
    """The shell of a kernel whose requests come from a notebook, or from a console if they have no ``cell``.

    `shown` is what was published.
    """

    def __init__(self, *, allow_stdin: bool = True, cell: str | None = "one") -> None:
        parent = {
            "content": {"allow_stdin": allow_stdin},
            "metadata": {} if cell is None else {"cellId": cell},
        }
        self.kernel = SimpleNamespace(get_parent=lambda channel: parent)
        self.display_pub = self
        self.shown: list[tuple[dict[str, Any], dict[str, Any], bool]] = []

    def publish(
        self, data: dict[str, Any], metadata: dict[str, Any], *, transient: dict[str, Any], update: bool
    ) -> None:
        self.shown.append((data, transient, update))
