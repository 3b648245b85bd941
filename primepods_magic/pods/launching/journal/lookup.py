"""The launch record of a name, found even if its user is unknown or its team is spelled differently."""

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
    """Hold a pod's name during its launch, and yield its journal.

    Records are kept by user and team; those that may be of the same name are merged first. Raise PodsError if
    another record's team cannot be compared; nothing was sent.
    """
    with launching(connection, spec.pod_name, on_wait=on_wait) as is_locked:
        journal = LaunchJournal(name_scope(connection, spec), spec.pod_name, is_locked=is_locked)
        accounts, team_id = set(digest_accounts(connection)), team_of(connection, spec)
        journal.join_others(
            lambda record: (
                not accounts.isdisjoint(record.accounts) and is_same_team(connection, record.team_id, team_id)
            )
        )
        yield journal
