"""How the OpenAPI document declares refusals: which statuses a route may answer with, and why."""

from __future__ import annotations

from typing import Any

from primepods_magic.sandbox.schemas.responses import Invalid, Refusal

Responses = dict[int | str, dict[str, Any]]

REFUSAL_SHAPES: dict[str, Any] = {"refused": Refusal, "invalid": Invalid}
"""What :func:`refusals` refers to; the document puts the shapes there."""

_WHY = {
    400: "What is asked for cannot be had, or the request cannot be read",
    401: "The key is not known",
    402: "The wallet does not hold enough",
    403: "No key was sent, it lacks the permission, or a web page asks",
    404: "There is no such thing, or the key does not see it",
    409: "It cannot happen now, or somebody was faster",
    413: "The body is too long",
    414: "The path and its parameters are too long",
    431: "The headers are too long",
    422: "A parameter or a field is not what it must be",
}


def refusals(*statuses: int) -> Responses:
    """The ``responses`` of a route or router that may refuse in these ways.

    Example
    -------
    >>> sorted(refusals(404, 409))
    [404, 409]
    """
    return {
        status: {
            "description": _WHY[status],
            "content": {"application/json": {"schema": {"$ref": f"#/{_kind(status)}"}}},
        }
        for status in statuses
    }


def _kind(status: int) -> str:
    return "invalid" if status == 422 else "refused"
