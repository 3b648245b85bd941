"""Open connections to agents: one for each pod, shared by everything that uses it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakSet

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.existence import examine_pod

from .link import PodLink
from .ssh.routes import find_route, is_fresh

__all__ = ["adopt_link", "close_links", "find_last_pod_id", "find_link", "note_last_pod", "open_link"]

_ASK_INTERVAL_S = 10.0

_links: WeakKeyDictionary[Connection, dict[str, PodLink]] = WeakKeyDictionary()
_closing: WeakSet[Connection] = WeakSet()
"""Those that close their links when they are closed."""
_last_pod_ids: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()
_lock = threading.Lock()


def _reset_in_child() -> None:
    """Give up all connections in a forked child, which has none of their threads, and replace the lock."""
    global _lock
    _lock = threading.Lock()
    for links in list(_links.values()):
        for link in links.values():
            link.abandon()
    _links.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def open_link(connection: Connection, pod: PodDetails) -> PodLink:
    """Return the connection to a pod's agent, opened in the background if there is none.

    One that does not work is moved if the pod has another address now.

    Raises InvalidRequest if the pod is not running, SshFailed if there is no ssh client.
    """
    pod_id = pod.id or ""
    with _lock:
        links = _links.setdefault(connection, {})
        if connection not in _closing:
            _closing.add(connection)
            connection.on_close.append(lambda: close_links(connection))
        link = links.get(pod_id)
        if link is None or not link.is_alive:
            route = find_route(connection, pod)
            find_end = _make_end_finder(connection, pod)
            link = links[pod_id] = PodLink(route, find_end, is_fresh=is_fresh(connection, pod))
        else:
            _move_link(link, connection, pod)
        return link


def adopt_link(connection: Connection, pod: PodDetails, link: PodLink) -> PodLink:
    """Return the connection to a pod's agent as `open_link` does, which is this one if it works."""
    with _lock:
        links = _links.setdefault(connection, {})
        if link.is_alive and links.setdefault(pod.id or "", link) is link:
            link.find_end = _make_end_finder(connection, pod)
    return open_link(connection, pod)


def _move_link(link: PodLink, connection: Connection, pod: PodDetails) -> None:
    """Move a connection that does not work to the address that the pod has now, if that is another one."""
    target, known = next(iter(pod.connections), None), link.route.target
    # One whose address is not known here may be about to work.
    is_suspect = known is not None or link.trouble is not None
    if target and target != known and is_suspect and not link.connected.is_set():
        link.move(find_route(connection, pod))


def find_link(connection: Connection, pod_id: str | None) -> PodLink | None:
    """Return the open connection to a pod's agent, if there is one."""
    return _links.get(connection, {}).get(pod_id or "")


def note_last_pod(connection: Connection, pod: PodDetails) -> None:
    """Note that a cell is for this pod: a later cell that names no pod runs there, too."""
    if pod.id:
        _last_pod_ids[connection] = pod.id


def find_last_pod_id(connection: Connection) -> str | None:
    """Return the id of the pod that the last cell was for."""
    return _last_pod_ids.get(connection)


def close_links(connection: Connection) -> None:
    """Close the connections to the agents of an account's pods; cells there keep running."""
    with _lock:
        links = _links.pop(connection, {})
    for link in links.values():
        link.close()


def _make_end_finder(connection: Connection, pod: PodDetails) -> Callable[[], str | None]:
    """Return a function that says how a pod ended, or returns None if it may still be running."""
    asked_at = time.monotonic()

    def find_end() -> str | None:
        nonlocal asked_at
        if time.monotonic() - asked_at < _ASK_INTERVAL_S:
            return None
        asked_at = time.monotonic()
        try:
            finding = examine_pod(connection, pod.id or "")
            link = find_link(connection, pod.id)
            if link and finding.pod:
                # A pod that was stopped and started has another address.
                _move_link(link, connection, finding.pod)
        except PodsError:
            return None
        if not finding.has_ended:
            return None
        name = sanitize(pod.name)
        return f"'{name}' has ended, and everything on it is gone. '%pods history' shows what it cost"

    return find_end
