"""The sandbox as an ASGI application."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from .bodies import sound_body
from .edge import API_PREFIX, Edge
from .orders import problems
from .routes import account, admin, availability, pods
from .spoiling import Spoiling
from .world import World


def create_app(world: World, *, latency_s: float, seed: int) -> ASGIApp:
    """Everything that the sandbox answers.

    Parameters
    ----------
    world:
        What the routes work with.
    latency_s:
        How long each request is held back.
    seed:
        What the ids of requests follow from.
    """
    # The service publishes its own documents; generated ones would promise that these are the same.
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(sound_body)],
    )
    app.state.world = world
    for router in (pods.router, availability.router, account.router):
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(admin.router)
    app.add_exception_handler(RequestValidationError, _validation_error)
    _finish_routes(app)
    return Edge(Spoiling(app, world.faults, API_PREFIX), world, latency_s=latency_s, seed=seed)


def _finish_routes(app: FastAPI) -> None:
    """Build now what FastAPI may otherwise build when the first request comes.

    Building changes the process's warning filters for a moment, which must not happen on the serving thread
    while somebody's notebook runs on another.
    """
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    world: World = request.app.state.world
    found = problems(list(error.errors()))
    if world.dialect == "spec":
        return JSONResponse({"detail": found}, 422)
    rows = [{"param": ".".join(str(part) for part in row["loc"]), "details": row["msg"]} for row in found]
    return JSONResponse({"errors": rows}, 422)
