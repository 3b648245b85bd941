"""The base of those methods of `Pod` that use the machine itself."""

from __future__ import annotations

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection

__all__ = ["Reachable"]


class Reachable:
    """A pod that can be logged in to."""

    _connection: Connection
    _details: PodDetails

    def _read_reachable(self, node: int = 1) -> PodDetails:
        """Return its details, read again before the first login."""
        raise NotImplementedError
