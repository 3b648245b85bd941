"""Where to ssh to: the many shapes of ``sshConnection``, read into one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

__all__ = ["SshTarget", "read_connections"]

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]*")


@dataclass(frozen=True)
class SshTarget:
    """One node to connect to.

    >>> SshTarget("root", "203.0.113.21", 30122).command
    'ssh root@203.0.113.21 -p 30122'
    """

    user: str
    host: str
    port: int = 22

    @property
    def command(self) -> str:
        """The command line that connects."""
        return f"ssh {self.user}@{self.host} -p {self.port}"


def read_connections(value: object) -> tuple[SshTarget | None, ...]:
    """Read ``sshConnection``: text, a list with one per node (``None`` where a node is not up), or a
    list of the words of one command. A target that ``ssh`` could take for an option is refused.

    >>> read_connections(["ubuntu@203.0.113.41:2200", None])
    (SshTarget(user='ubuntu', host='203.0.113.41', port=2200), None)
    >>> read_connections("-oProxyCommand=x@203.0.113.9")
    ()
    """
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return ()
    if any(isinstance(item, str) and item.startswith("-") and "@" not in item for item in value):
        value = [" ".join(str(item) for item in value)]
    targets = tuple(_read_one(item) if isinstance(item, str) else None for item in value)
    return targets if any(targets) else ()


# The same few texts are read at every look at pods that are watched.
@lru_cache(maxsize=4096)
def _read_one(text: str) -> SshTarget | None:
    words = text.split()
    if words[:1] == ["ssh"]:
        words = words[1:]
    if not words or "@" not in words[0]:
        return None
    user, _, place = words[0].partition("@")
    host, port = _split_port(place)
    if not _USER.fullmatch(user) or not _HOST.fullmatch(host):
        return None
    for flag, given in pairwise(words):
        if flag == "-p":
            port = _port(given) or port
    return SshTarget(user, host, port)


def _split_port(place: str) -> tuple[str, int]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, _port(rest.removeprefix(":")) or 22
    if place.count(":") == 1:
        host, _, rest = place.partition(":")
        return host, _port(rest) or 22
    return place, 22


def _port(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536 else None
