"""The sandbox as an ASGI application."""

from __future__ import annotations

from typing import cast

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.docs.methods import Methods
from primepods_magic.sandbox.docs.openapi import document
from primepods_magic.sandbox.faults.middleware import FaultMiddleware
from primepods_magic.sandbox.routes import (
    about,
    account,
    admin,
    availability,
    disks,
    documents,
    pods,
    ssh_keys,
    templates,
    wallet,
)
from primepods_magic.sandbox.schemas.enums import Dialect
from primepods_magic.sandbox.schemas.requests import problems
from primepods_magic.sandbox.schemas.responses import PublishedInvalid, SpecFieldProblem, SpecInvalid
from primepods_magic.sandbox.service.service import SandboxService

from .auth import API_PREFIX, RequestGuard
from .body_validation import sound_body
from .middleware import GatewayMiddleware

# With the tag that each has in the documents.
_API = (
    ("Pods", pods.router),
    ("Availability", availability.router),
    ("Disks", disks.router),
    ("SSH keys", ssh_keys.router),
    ("Templates", templates.router),
    ("Account", account.router),
    ("Account", wallet.router),
)
_OWN = (("Sandbox", about.router), ("Documents", documents.router))
_ADMIN = (("Sandbox", admin.router),)

# FastAPI takes most of the time in which a sandbox starts, so those of one process share what it builds.
_built: dict[tuple[Dialect, bool], FastAPI] = {}


def create_app(
    world: SandboxService, admission: RequestGuard, *, latency_s: float, seed: int, has_admin: bool = True
) -> ASGIApp:
    """Everything that the sandbox answers.

    Parameters
    ----------
    world:
        What the routes work with.
    admission:
        Which requests may pass.
    latency_s:
        How long each request is held back.
    seed:
        What the ids of requests follow from.
    has_admin:
        Whether clients may move the clock, choose faults, and let things happen.
    """
    key = world.dialect, has_admin
    if key not in _built:
        _built[key] = _build(*key)
    return GatewayMiddleware(
        FaultMiddleware(_built[key], world.faults, API_PREFIX),
        admission,
        world,
        latency_s=latency_s,
        seed=seed,
    )


def _build(dialect: Dialect, has_admin: bool) -> FastAPI:
    """All routes and documents; whose world they work with is in the state of each request."""
    # It has documents, but of our own making: see routes/documents.py.
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(sound_body)],
    )
    own = _OWN + _ADMIN if has_admin else _OWN
    for tag, router in _API:
        app.include_router(
            router, prefix=API_PREFIX, tags=[tag], responses=refusals(400, 401, 403, 413, 414, 422, 431)
        )
    for tag, router in own:
        app.include_router(router, tags=[tag], responses=refusals(400, 403, 413, 414, 422, 431))
    routers = {API_PREFIX: [router for _, router in _API], "": [router for _, router in own]}
    app.state.document = document(app.routes, routers, dialect, keyed=API_PREFIX)
    app.state.methods = Methods(app.state.document["paths"])
    app.add_exception_handler(405, _method_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    _finish_routes(app)
    return app


def _finish_routes(app: FastAPI) -> None:
    """Build now what FastAPI may otherwise build when the first request comes.

    Building changes the process's warning filters for a moment, which must not happen on the serving thread
    while somebody's notebook runs on another.
    """
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})


async def _method_error(request: Request, error: Exception) -> JSONResponse:
    methods: Methods = request.app.state.methods
    return JSONResponse(
        {"detail": "Method Not Allowed"}, 405, headers={"Allow": ", ".join(methods.of(request.url.path))}
    )


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    world: SandboxService = request.state.world
    found = cast(list[SpecFieldProblem], problems(list(error.errors())))
    if world.dialect == "spec":
        spec: SpecInvalid = {"detail": found}
        return JSONResponse(spec, 422)
    published: PublishedInvalid = {
        "errors": [{"param": ".".join(map(str, row["loc"])), "details": row["msg"]} for row in found]
    }
    return JSONResponse(published, 422)
