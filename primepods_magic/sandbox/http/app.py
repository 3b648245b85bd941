"""The sandbox as an ASGI application."""

from __future__ import annotations

import re

from fastapi import Depends, FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

from primepods_magic.sandbox.docs.openapi import INTRODUCTION, TAGS, make_document
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
from primepods_magic.sandbox.routes.response import error_responses
from primepods_magic.sandbox.schemas.enums import Dialect
from primepods_magic.sandbox.schemas.responses import (
    PublishedValidationError,
    SpecFieldError,
    SpecValidationError,
)
from primepods_magic.sandbox.service.service import SandboxService

from .auth import API_PREFIX, RequestGuard
from .body_validation import validate_body
from .middleware import GatewayMiddleware

__all__ = ["create_app"]

# Routers with their tags in the OpenAPI document.
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

# Building takes most of the startup time, so all sandboxes of a process share their applications.
_built: dict[tuple[Dialect, bool], FastAPI] = {}


def create_app(
    service: SandboxService, guard: RequestGuard, *, latency_s: float, seed: int, has_admin: bool = True
) -> ASGIApp:
    """Create the ASGI application; `seed` determines the request ids."""
    key = service.dialect, has_admin
    if key not in _built:
        _built[key] = _build_app(*key)
    return GatewayMiddleware(
        FaultMiddleware(_built[key], service.faults, API_PREFIX),
        guard,
        service,
        latency_s=latency_s,
        seed=seed,
    )


def _build_app(dialect: Dialect, has_admin: bool) -> FastAPI:
    # The documentation is served by routes/documents.py.
    app = FastAPI(
        title="Pods API on this computer",
        version="1",
        description=INTRODUCTION.format(dialect=dialect),
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(validate_body)],
        responses=error_responses(400, 403, 413, 414, 422, 431),
    )
    for tag, router in _API:
        app.include_router(
            router,
            prefix=API_PREFIX,
            tags=[tag],
            responses=error_responses(401),
            # For the document only: RequestGuard checks the key.
            dependencies=[Security(HTTPBearer(scheme_name="key", auto_error=False))],
        )
    for tag, router in _OWN + _ADMIN if has_admin else _OWN:
        app.include_router(router, tags=[tag])
    app.state.document = make_document(app, dialect)
    app.add_exception_handler(405, _handle_wrong_method)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    _prepare_routes(app)
    return app


def _prepare_routes(app: FastAPI) -> None:
    """Build the routes now: FastAPI does so on the first request, changing the global warning filters."""
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})


async def _handle_wrong_method(request: Request, error: Exception) -> JSONResponse:
    # Starlette knows the methods of one route only; list those of the most specific path.
    paths = request.app.state.document["paths"]
    matches = [
        path for path in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.scope["path"])
    ]
    methods = paths[min(matches, key=lambda path: path.count("{"))] if matches else ()
    allowed = ", ".join(sorted(map(str.upper, methods)))
    return JSONResponse({"detail": "Method Not Allowed"}, 405, headers={"Allow": allowed})


async def _handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    service: SandboxService = request.state.service
    # Leave out the input, which may hold a password.
    rows: list[SpecFieldError] = [
        {"loc": list(row["loc"]), "msg": str(row["msg"]), "type": str(row["type"])} for row in error.errors()
    ]
    if service.dialect == "spec":
        spec: SpecValidationError = {"detail": rows}
        return JSONResponse(spec, 422)
    published: PublishedValidationError = {
        "errors": [{"param": ".".join(map(str, row["loc"])), "details": row["msg"]} for row in rows]
    }
    return JSONResponse(published, 422)
