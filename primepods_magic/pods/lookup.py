"""Pods as `Pod` objects: those of an account, and one by its name or id."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import choose_connection

from .find import find_pod
from .listing import list_pod_details
from .pod import Pod

__all__ = ["get_pod", "list_pods"]


@shorten_tracebacks
def list_pods(
    *, everyone: bool = False, statuses: Iterable[str] = (), connection: Connection | None = None
) -> list[Pod]:
    """List your pods, oldest first, as ``%pods ls`` does.

    Parameters
    ----------
    everyone : bool
        Include the pods of other people in your teams.
    statuses : iterable of str
        Only pods in these states, such as ``"ACTIVE"``.
    connection : Connection, optional
        The account to use; else the current connection.

    Returns
    -------
    list of Pod

    Raises
    ------
    InvalidRequest
        A state is unknown.
    BudgetExceeded
        A pod is above its agreed price; the message says whether it was terminated.
    PodsError
        The service could not be asked.

    Examples
    --------
    >>> for pod in list_pods():                                              # doctest: +SKIP
    ...     pod.terminate()
    """
    connection = choose_connection(connection)
    words = [statuses] if isinstance(statuses, str) else statuses
    return [Pod(connection, pod) for pod in list_pod_details(connection, everyone=everyone, statuses=words)]


@shorten_tracebacks
def get_pod(name: str, *, connection: Connection | None = None) -> Pod:
    """Return the pod with this name or id.

    Parameters
    ----------
    name : str
        The name of one of your pods, an id, or the beginning of an id.
    connection : Connection, optional
        The account to use; else the current connection.

    Returns
    -------
    Pod

    Raises
    ------
    NotFound
        No pod has this name or id.
    NameInUse
        Several pods have this name; the message lists their ids.
    BudgetExceeded
        The pod is above its agreed price; the message says whether it was terminated.

    Examples
    --------
    >>> get_pod("train").ssh                                                 # doctest: +SKIP
    'ssh root@203.0.113.7 -p 22'
    """
    connection = choose_connection(connection)
    if not isinstance(name, str):
        raise InvalidRequest(f"'name' must be the name or the id of a pod, not a {type(name).__name__}")
    return Pod(connection, find_pod(connection, name))
