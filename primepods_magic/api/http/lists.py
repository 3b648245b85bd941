"""Complete lists of an endpoint with offsets."""

from __future__ import annotations

from typing import TypeVar

from primepods_magic.api.fields.lenient_types import ApiModel

from .pagination import ListPage, page_parser, read_whole_list
from .session import HttpSession

__all__ = ["read_models"]

A = TypeVar("A", bound=ApiModel)


def read_models(
    session: HttpSession,
    model: type[A],
    path: str,
    what: str,
    *,
    budget_s: float | None = None,
    read_timeout_s: float | None = None,
) -> list[A]:
    """Read a list, proven to be complete; ``what`` names its rows in errors."""
    parse = page_parser(model)

    def fetch(offset: int, limit: int) -> ListPage[A]:
        params = {"offset": offset, "limit": limit}
        answer = session.request("GET", path, params=params, budget_s=budget_s, read_timeout_s=read_timeout_s)
        return parse(answer, offset, limit)

    return read_whole_list(fetch, what)
