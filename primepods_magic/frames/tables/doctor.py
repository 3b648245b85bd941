"""Frame of the findings of the doctor."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

import pandas as pd

from .schema import Column, build

if TYPE_CHECKING:
    from primepods_magic.pods.doctor import Finding

__all__ = ["checks_frame"]


def checks_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Build a frame of findings, in the order given.

    >>> from primepods_magic.pods.doctor import Finding
    >>> checks_frame([Finding("key", "ok", "pit_…")])["result"].tolist()
    ['ok']
    """
    return build(_CHECK_COLUMNS, findings)


_CHECK_COLUMNS: tuple[Column[Finding], ...] = (
    Column("check", "string", attrgetter("check")),
    Column("result", "string", attrgetter("result")),
    Column("detail", "string", attrgetter("detail")),
    Column("what_to_do", "string", attrgetter("what_to_do")),
)
