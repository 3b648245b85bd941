"""Frame of the histories cached on this computer."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import pandas as pd

from primepods_magic.api.local.folders import shorten_path
from primepods_magic.pods.history import CacheFile

from .schema import Column, build

__all__ = ["cache_frame"]

_BYTES_PER_MB = 1_000_000


def cache_frame(files: Iterable[CacheFile]) -> pd.DataFrame:
    """Build a frame of cached histories.

    >>> cache_frame([]).columns.tolist()
    ['service', 'rows', 'size_mb', 'read_at', 'path']
    """
    return build(_COLUMNS, files)


_COLUMNS: tuple[Column[CacheFile], ...] = (
    Column("service", "string", attrgetter("service")),
    Column("rows", "Int64", attrgetter("rows")),
    Column("size_mb", "Float64", lambda file: file.size_bytes / _BYTES_PER_MB),
    Column("read_at", "datetime64[us, UTC]", attrgetter("read_at")),
    Column("path", "string", lambda file: shorten_path(file.path)),
)
