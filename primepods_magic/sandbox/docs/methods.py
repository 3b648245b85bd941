"""Which methods a path has, for the ``Allow`` of a 405."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class Methods:
    """The methods by path, as the OpenAPI document names them; a path without ids wins over one with them.

    Starlette tells only those of the first route that fits, and every route has one.

    Example
    -------
    >>> methods = Methods({"/pods/{pod_id}": {"get": {}, "delete": {}}, "/pods/status": {"get": {}}})
    >>> methods.of("/pods/0123"), methods.of("/pods/status")
    (['DELETE', 'GET'], ['GET'])
    """

    def __init__(self, paths: Mapping[str, Mapping[str, Any]]) -> None:
        self._known = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), sorted(map(str.upper, paths[path])))
            for path in sorted(paths, key=lambda path: path.count("{"))
        ]

    def of(self, path: str) -> list[str]:
        """The methods that a path has, sorted; none when there is no such path."""
        return next((methods for fits, methods in self._known if fits.fullmatch(path)), [])
