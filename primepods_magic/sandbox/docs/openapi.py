"""The OpenAPI document of what is served, in the dialect that is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from starlette.routing import BaseRoute

from primepods_magic.sandbox.faults.parsing import PROFILES
from primepods_magic.sandbox.faults.rules import Rule
from primepods_magic.sandbox.schemas.enums import Dialect

from .error_responses import REFUSAL_SHAPES

TITLE = "Pods API on this computer"
VERSION = "1"

TAGS = {
    "Pods": "Machines with GPUs: rent, watch and end them.",
    "Availability": "What can be rented, and where.",
    "Disks": "Disks that survive the pods they are attached to.",
    "SSH keys": "The public keys that new pods accept.",
    "Templates": "Images of one's own.",
    "Account": "Who is asking, the teams, and the money.",
    "Sandbox": "What the service does not have: the clock, faults, and what befalls pods. No key is needed.",
    "Documents": "What is served here, for programs and for people.",
}

INTRODUCTION = """\
This is a sandbox: it answers as Prime Intellect's Pods API does, on this computer alone. Nothing here is
real and nothing costs money.

**Keys.** Every call below `/api/v1` needs `Authorization: Bearer` and one of the keys that everybody knows
(unless it was started with `--keys FILE`):
`sandbox` may do everything, `sandbox-read` may only look, `sandbox-pods` may not touch disks, and
`sandbox-teammate` is somebody else in the same teams.

**Dialects.** The service's API and its published documents differ in some words. This sandbox speaks the
{dialect} dialect; `--dialect {other}` starts it with the other one.

**Paths.** They may end in a slash or not. A path that does not exist is answered with 404, a method that a
path does not have with 405.

**The clock.** Everything happens by the sandbox's clock, which the `Date` of each answer tells. It runs,
perhaps faster than yours, or stands still until `POST /sandbox/clock` moves it.

**Faults.** Requests below `/api/v1` go wrong on purpose when told to: all of them by `PUT /sandbox/faults`,
one by its header `X-Sandbox-Fault`, for example `reset_after` or `429; retry_after=2`. The answer is then
one of 429, 500, 502, 503 and 504, a page of HTML, cut short, late, or missing. Otherwise none of these
occurs.

**The sandbox's own surface.** What is below `/sandbox` moves the clock, chooses the faults, fills and empties
wallets, changes the stock, and lets things happen to pods that no call of the API can do. It needs no key,
and the service has nothing of the kind. `--no-admin` leaves it out.
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
    ("put", "/sandbox/wallet"): {"balance_usd": 500},
    ("put", "/sandbox/offers"): {"cloud_id": "gpu-H100x8", "stock": "Unavailable"},
}
"""A body for every operation that takes one; each of them is accepted by a new sandbox."""

_REF = "#/components/schemas/"

_RULE = {**Rule.model_json_schema(), "description": "Which requests get which fault."}
_FAULTS_BODY = {
    "anyOf": [
        {"enum": list(PROFILES), "type": "string"},
        {"type": "array", "items": {"$ref": f"{_REF}Rule"}},
    ]
}

_PREFIX: dict[Dialect, str] = {"spec": "Spec", "published": "Published"}
_OTHER: dict[Dialect, Dialect] = {"spec": "published", "published": "spec"}

_built: dict[str, dict[str, Any]] = {}


def document(
    routes: Iterable[BaseRoute], routers: Mapping[str, Iterable[APIRouter]], dialect: Dialect, keyed: str
) -> dict[str, Any]:
    """An OpenAPI 3.1 document.

    It is built once in a process. FastAPI and pydantic change the process's warning filters while they build
    it, so it is not left to the first request, which another thread serves.

    Parameters
    ----------
    routes:
        The application's, with everything that FastAPI knows of them.
    routers:
        Where they come from, by the prefix of their paths: their endpoints tell the shapes of the answers.
    dialect:
        Whose words the answers are in.
    keyed:
        Paths that begin with this need a key.
    """
    shapes = dict(_answers(routers))
    served = " ".join(f"{method} {path}" for path, method in shapes)
    if served not in _built:
        _built[served] = _build(list(routes), shapes, keyed)
    introduction = INTRODUCTION.format(dialect=dialect, other=_OTHER[dialect])
    info = {"title": TITLE, "version": VERSION, "description": introduction}
    return {**_spoken(_built[served], dialect), "info": info}


def _answers(routers: Mapping[str, Iterable[APIRouter]]) -> Iterable[tuple[tuple[str, str], Any]]:
    """The shape of the answer by path and method; None where it is not an :class:`.answer.Answer`."""
    for prefix, members in routers.items():
        for router in members:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    answered = get_type_hints(route.endpoint, include_extras=True).get("return", object)
                    shape = getattr(answered, "shape", None)
                    for method in route.methods or ():
                        yield (prefix + route.path, method.lower()), shape


def _build(routes: list[BaseRoute], shapes: Mapping[tuple[str, str], Any], keyed: str) -> dict[str, Any]:
    """The document with the shapes of both dialects."""
    built = get_openapi(
        title=TITLE,
        version=VERSION,
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    schemas, definitions = _json_schemas(shapes)
    components = built.setdefault("components", {}).setdefault("schemas", {})
    twice = components.keys() & definitions.keys()
    assert not twice, f"two different shapes are called {twice}"
    components.update(definitions)
    for path, operations in built["paths"].items():
        for method, operation in operations.items():
            shape = schemas.get((path, method))
            if shape is not None:
                operation["responses"]["200"]["content"]["application/json"]["schema"] = shape
            if (method, path) == ("put", "/sandbox/faults"):
                operation["requestBody"]["content"]["application/json"]["schema"] = _FAULTS_BODY
                components["Rule"] = _RULE
            if "requestBody" in operation and (method, path) in EXAMPLES:
                operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[method, path]
            if path.startswith(keyed):
                operation["security"] = [{"key": []}]
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    name = content["schema"].get("$ref", "").removeprefix("#/")
                    if name in REFUSAL_SHAPES:
                        content["schema"] = schemas[name]
    built["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    built["components"]["schemas"] = dict(sorted(components.items()))
    return built


def _json_schemas(shapes: Mapping[Any, Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of every shape, and of what they refer to."""
    wanted = {**REFUSAL_SHAPES, **{key: shape for key, shape in shapes.items() if shape is not None}}
    inputs = [(key, "serialization", TypeAdapter(shape).core_schema) for key, shape in wanted.items()]
    generator = _Untitled(ref_template=_REF + "{model}")
    found, definitions = generator.generate_definitions(inputs)  # type: ignore[arg-type]
    return {key: schema for (key, _), schema in found.items()}, dict(definitions.items())


class _Untitled(GenerateJsonSchema):
    """Leaves out titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _spoken(part: Any, dialect: Dialect) -> Any:
    """A part of the document without the other dialect's shapes, and the names without the prefix."""
    if isinstance(part, list):
        return [_spoken(item, dialect) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        name = part["$ref"].removeprefix(_REF).removeprefix(_PREFIX[dialect])
        return {**part, "$ref": _REF + name}
    kept = {
        key.removeprefix(_PREFIX[dialect]): _spoken(value, dialect)
        for key, value in part.items()
        # FastAPI's titles only repeat the names.
        if not key.startswith(_PREFIX[_OTHER[dialect]]) and not (key == "title" and isinstance(value, str))
    }
    for word in ("anyOf", "oneOf"):
        if word in part:
            choices = [_spoken(choice, dialect) for choice in part[word] if not _is_foreign(choice, dialect)]
            kept[word] = choices
            if len(choices) == 1:
                del kept[word]
                kept |= choices[0]
    return kept


def _is_foreign(choice: Any, dialect: Dialect) -> bool:
    name = choice.get("$ref", "").removeprefix(_REF)
    return bool(name.startswith(_PREFIX[_OTHER[dialect]]))
