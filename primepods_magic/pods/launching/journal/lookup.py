"""The launch record of a name, found although its user is not known, or its team is spelled otherwise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from primepods_magic.pods.account.teams import is_same_team
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.naming import name_scope, team_of
from primepods_magic.pods.spec.spec import PodSpec

from .journal import LaunchJournal, digest_accounts
from .name_lock import launching

__all__ = ["hold_name"]


@contextlib.contextmanager
def hold_name(
    connection: Connection, spec: PodSpec, *, on_wait: Callable[[], object] | None = None
) -> Iterator[LaunchJournal]:
    """Hold a pod's name while it is being launched, and yield its record.

    Records are kept by user and team. A service that does not say once whose key this is, or a team that is
    spelled otherwise, leads to another file: the records that may be of the same name are joined first.

    Parameters
    ----------
    connection : Connection
        Whose name it is.
    spec : PodSpec
        What is launched.
    on_wait : callable, optional
        As `launching` has it.

    Raises
    ------
    PodsError
        There is a record for another team, and which team is meant cannot be found out. Nothing was sent.
    """
    with launching(connection, spec.pod_name, on_wait=on_wait) as is_locked:
        note = LaunchJournal(name_scope(connection, spec), spec.pod_name, is_locked=is_locked)
        accounts, team_id = set(digest_accounts(connection)), team_of(connection, spec)
        note.join_others(
            lambda record: (
                not accounts.isdisjoint(record.accounts) and is_same_team(connection, record.team_id, team_id)
            )
        )
        yield note
