"""Names of pods that this computer has seen."""

from __future__ import annotations

from primepods_magic.pods.connection.connection import Connection

from .cache import HistoryCache

__all__ = ["find_known_names"]


def find_known_names(connection: Connection) -> dict[str, str]:
    """Return names by pod id, from the cached history and the lists of this kernel, without a request."""
    cache = HistoryCache(connection.access)
    kept = cache.read_summary()
    table = cache.load(kept) if kept is not None else None
    pairs = [] if table is None else zip(table.columns["id"], table.columns["name"], strict=True)
    return {pod_id: name for pod_id, name in pairs if pod_id and name} | connection.completion_cache.names
