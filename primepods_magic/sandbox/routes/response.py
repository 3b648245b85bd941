"""The responses of all routes; their shapes are type-checked and documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_type_hints

from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import JSONResponse

__all__ = ["ApiResponse", "ApiRoute", "error_responses"]

Body = TypeVar("Body")

_ERRORS = {
    400: "The request is invalid or cannot be fulfilled",
    401: "The key is unknown",
    402: "The balance is too low",
    403: "The key is missing or lacks a permission, or the request is from a web page",
    404: "The resource does not exist, or is not visible with this key",
    409: "The request conflicts with the current state",
    413: "The body is too long",
    414: "The path and its parameters are too long",
    422: "A parameter or field is invalid",
    431: "The headers are too long",
}


class ApiResponse(JSONResponse, Generic[Body]):
    """A JSON response of a checked shape, which FastAPI sends without validating or copying it."""

    shape: ClassVar[Any] = Any
    """The shape of the body: `PodList` in `ApiResponse[PodList]`."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)

    def render(self, content: Any) -> bytes:
        return to_json(content)

    if not TYPE_CHECKING:
        # Return a real class: FastAPI does not accept a generic alias as a response.
        def __class_getitem__(cls, shape: Any) -> type[ApiResponse]:
            return type(cls.__name__, (cls,), {"shape": shape})


class ApiRoute(APIRoute):
    """A route documented by the shape of the `ApiResponse` that it returns."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        shape = getattr(get_type_hints(endpoint, include_extras=True).get("return"), "shape", None)
        super().__init__(path, endpoint, **{**options, "response_model": shape})


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare the errors of a route for the OpenAPI document."""
    return {
        status: {
            "description": _ERRORS[status],
            "content": {
                "application/json": {
                    "schema": {
                        "$ref": f"#/components/schemas/{'ValidationError' if status == 422 else 'ErrorBody'}"
                    }
                }
            },
        }
        for status in statuses
    }
