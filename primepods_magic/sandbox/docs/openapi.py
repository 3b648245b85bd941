"""The OpenAPI document in the dialect that is served."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from primepods_magic.sandbox.schemas.enums import Dialect
from primepods_magic.sandbox.schemas.responses import ErrorBody, PublishedValidationError, SpecValidationError

__all__ = ["EXAMPLES", "INTRODUCTION", "TAGS", "make_document"]

TAGS = {
    "Pods": "Machines with GPUs: create, watch and terminate them.",
    "Availability": "Offers of pods and disks.",
    "Disks": "Disks that survive the pods they are attached to.",
    "SSH keys": "The public keys that new pods accept.",
    "Templates": "Custom images.",
    "Account": "The user, the teams, and the wallet.",
    "Sandbox": "Controls that the service does not have: clock, faults, and pod events. They need no key.",
    "Documents": "The documentation of this API.",
}

INTRODUCTION = """\
This sandbox simulates Prime Intellect's Pods API on your computer. Nothing here is real, and nothing costs
money.

**Keys.** Every call below `/api/v1` needs `Authorization: Bearer` and one of these keys (unless the sandbox
was started with `--keys FILE`): `sandbox` may do everything, `sandbox-read` may only read, `sandbox-pods` may
not use disks, and `sandbox-teammate` belongs to another member of the same teams.

**Dialects.** The service's API and its published documents differ in some values. This sandbox uses the
`{dialect}` dialect; `--dialect` selects the other one.

**Paths.** A trailing slash is optional. An unknown path returns 404, an unsupported method 405.

**The clock.** Everything follows the sandbox's clock, which is in the `Date` of each response. It runs,
perhaps faster than yours, or stands still until `POST /sandbox/clock` moves it.

**Faults.** Requests below `/api/v1` can fail on purpose: `PUT /sandbox/faults` sets rules for all requests,
and the header `X-Sandbox-Fault` selects a fault for one, for example `reset_after` or `429; retry_after=2`.
The response is then one of 429, 500, 502, 503 and 504, an HTML page, truncated, late, or missing. Without
faults, none of these occurs.

**Controls.** The routes below `/sandbox` move the clock, select faults, set balances and stock, and trigger
events of pods. They need no key, and the service has nothing like them. `--no-admin` removes them.
"""

EXAMPLES: dict[tuple[str, str], Any] = {
    ("post", "/api/v1/pods"): {
        "pod": {
            "name": "My H100",
            "cloudId": "n3-H100x1",
            "gpuType": "H100_80GB",
            "socket": "PCIe",
            "gpuCount": 1,
            "image": "ubuntu_22_cuda_12",
            "dataCenterId": "CANADA-1",
            "security": "secure_cloud",
        },
        "provider": {"type": "hyperstack"},
    },
    ("post", "/api/v1/disks"): {
        "disk": {"size": 100, "name": "datasets", "country": "CA", "dataCenterId": "CANADA-1"},
        "provider": {"type": "hyperstack"},
    },
    ("patch", "/api/v1/disks/{disk_id}"): {"name": "weights"},
    ("post", "/api/v1/ssh_keys"): {
        "name": "desktop",
        "publicKey": f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'Desktop' * 6}E ada@desktop",
    },
    ("patch", "/api/v1/ssh_keys/{key_id}"): {"isPrimary": True},
    ("post", "/api/v1/template/check-docker-image"): {"image": "nvcr.io/nvidia/pytorch:24.10-py3"},
    ("patch", "/api/v1/user/slug"): {"slug": "ada-lovelace"},
    ("post", "/sandbox/clock"): {"advance_s": 60},
    ("put", "/sandbox/faults"): [{"fault": "503_before", "method": "GET", "probability": 0.3}],
    ("post", "/sandbox/pods/{pod_id}/events"): {"event": "reclaim"},
    ("put", "/sandbox/pods/{pod_id}/machine"): {"utilization": 97, "memory_used_mb": 71_680},
    ("put", "/sandbox/wallet"): {"balance_usd": 500},
    ("put", "/sandbox/offers"): {"cloud_id": "gpu-H100x8", "stock": "Unavailable"},
}
"""A valid request body for each operation that takes one."""

_REF = "#/components/schemas/"
_PREFIXES: dict[Dialect, str] = {"spec": "Spec", "published": "Published"}


def make_document(app: FastAPI, dialect: Dialect) -> dict[str, Any]:
    """Return FastAPI's document with examples, in the words of one dialect."""
    document = app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (method, path) in EXAMPLES:
                operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[method, path]
    errors = TypeAdapter(ErrorBody | SpecValidationError | PublishedValidationError).json_schema(
        ref_template=_REF + "{model}"
    )
    schemas = {**document["components"]["schemas"], **errors["$defs"]}
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    (other,) = _PREFIXES.keys() - {dialect}
    selected = _select_dialect(document, _PREFIXES[dialect], _PREFIXES[other])
    return {**selected, "info": document["info"]}


def _select_dialect(part: Any, own: str, other: str) -> Any:
    """Drop the shapes of the other dialect, the prefix of our own, and titles, which repeat the names."""
    if isinstance(part, list):
        return [_select_dialect(item, own, other) for item in part]
    if not isinstance(part, dict):
        return part
    part = {key: value for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    if "$ref" in part:
        return {**part, "$ref": _REF + part["$ref"].removeprefix(_REF).removeprefix(own)}
    for keyword in part.keys() & {"anyOf", "oneOf"}:
        choices = [choice for choice in part[keyword] if not choice.get("$ref", "").startswith(_REF + other)]
        if len(choices) == 1:
            del part[keyword]
            return _select_dialect({**part, **choices[0]}, own, other)
        part[keyword] = choices
    return {
        key.removeprefix(own): _select_dialect(value, own, other)
        for key, value in part.items()
        if not key.startswith(other)
    }
