"""The billed history of an account, read in parallel and cached."""

from __future__ import annotations

from .cache import CacheFile, cache_files, clear_cache
from .known_names import find_known_names
from .reader import History, read_history
from .table import HistoryTable

__all__ = [
    "CacheFile",
    "History",
    "HistoryTable",
    "cache_files",
    "clear_cache",
    "find_known_names",
    "read_history",
]
