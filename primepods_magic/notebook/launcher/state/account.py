"""The account behind the key, and its teams, SSH keys, and disks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.account import SshKey, Team, User
from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import error_words
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.account.permissions import none_if_forbidden
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.ssh.keys import list_keys
from primepods_magic.pods.support.background import run_concurrently
from primepods_magic.pods.support.rates import has_ended

__all__ = ["Account", "read_account"]


@dataclass(frozen=True)
class Account:
    """An account, as far as the key may read it; `keys` has the primary key first, and is None if unknown."""

    person: str | None = None
    is_identified: bool = False
    """The owner of the key is known, or the key may not read it."""
    may_launch: bool = True
    teams: tuple[Team, ...] = ()
    keys: tuple[SshKey, ...] | None = None
    disks: tuple[Disk, ...] = ()
    error: str = ""
    """A message about what could not be read, and why."""


def read_account(connection: Connection) -> Account:
    """Read everything concurrently; the result's `error` names what could not be read."""
    client = connection.client
    requests: dict[str, Callable[[], Any]] = {
        "the key's owner": lambda: none_if_forbidden(client.whoami),
        "teams": lambda: none_if_forbidden(client.list_teams),
        "SSH keys": lambda: none_if_forbidden(lambda: list_keys(connection)),
        "disks": lambda: none_if_forbidden(client.list_disks),
        # Cached by the connection, so that later users of it do not wait.
        "your user ID": lambda: connection.user_id,
    }
    futures = run_concurrently(connection, requests.values())
    errors = {name: future.exception() for name, future in zip(requests, futures, strict=True)}
    me, teams, keys, disks, _ = (None if future.exception() else future.result() for future in futures)
    failed = [name for name, error in errors.items() if error is not None]
    first = next((error for error in errors.values() if error is not None), None)
    reason = sanitize(error_words(first)) if first else ""
    return Account(
        person=me and (me.name or me.email or me.id),
        is_identified=errors["your user ID"] is None,
        may_launch=_may_launch(me),
        teams=tuple(team for team in teams or () if team.team_id),
        keys=None if keys is None else tuple(keys),
        disks=tuple(disk for disk in disks or () if disk.id and not has_ended(disk, connection.now())),
        error=f"could not read {', '.join(failed)}: {reason}" if failed else "",
    )


def _may_launch(me: User | None) -> bool:
    scopes = {name.casefold(): scope for name, scope in me.scope.items()} if me else {}
    if "instances" not in scopes:
        return True
    scope = scopes["instances"]
    return scope is not None and scope.write is not False
