"""Parameters and helpers of lists with an offset and a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from primepods_magic.sandbox.schemas.responses import Envelope

Offset = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=0, le=2**53)]

Row = TypeVar("Row")


def envelope(total_count: int, offset: int, limit: int) -> Envelope:
    """Return the fields around a page of rows."""
    return {"total_count": total_count, "offset": offset, "limit": limit, "status": None}


def cut(rows: Sequence[Row], offset: int, limit: int) -> list[Row]:
    return list(rows[offset : offset + limit])
