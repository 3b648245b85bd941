"""How routes answer: a body whose shape mypy checks and the OpenAPI document tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic_core import to_json
from starlette.responses import JSONResponse

Body = TypeVar("Body")


class ApiResponse(JSONResponse, Generic[Body]):
    """A JSON answer; a route says with ``-> Answer[PodList]`` what is in it.

    FastAPI sends a response as it is. What is not one it first validates or, in older versions, copies value
    by value, which takes longer than all else about a page of pods.

    Parameters
    ----------
    body:
        What is answered.
    """

    shape: ClassVar[Any] = Any
    """What the body is; of ``Answer[PodList]`` it is ``PodList``."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)

    def render(self, content: Any) -> bytes:
        """The body as compact JSON."""
        return to_json(content)

    if not TYPE_CHECKING:
        # A class of its own rather than typing's alias: only a class does FastAPI take for a response.
        def __class_getitem__(cls, shape: Any) -> type[ApiResponse]:
            return type(cls.__name__, (cls,), {"shape": shape})
