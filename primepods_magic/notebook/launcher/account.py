"""Whose launcher it is: the person behind the key, and what the account has that a pod can use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.account import Disk, SshKey, Team, User
from primepods_magic.pods.allowed import if_allowed
from primepods_magic.pods.behind import run_all_behind
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.ssh_keys import list_keys

__all__ = ["Account", "read_account"]


@dataclass(frozen=True)
class Account:
    """What the service says of an account, as far as the key may ask.

    Parameters
    ----------
    person : str, optional
        Whose key it is.
    may_launch : bool
        The service does not say that the key may only read.
    teams : tuple of Team
        Who can be billed.
    keys : tuple of SshKey, optional
        Who can log in, the primary key first; ``None`` where the key may not ask.
    disks : tuple of Disk
        What can be attached.
    """

    person: str | None = None
    may_launch: bool = True
    teams: tuple[Team, ...] = ()
    keys: tuple[SshKey, ...] | None = None
    disks: tuple[Disk, ...] = ()


def read_account(connection: Connection) -> Account:
    """Ask for all of it, side by side.

    Raises
    ------
    PodsError
        Something cannot be read, other than for want of a permission.
    """
    client = connection.client
    questions: list[Callable[[], Any]] = [
        lambda: if_allowed(client.whoami),
        lambda: if_allowed(client.list_teams),
        lambda: if_allowed(lambda: list_keys(connection)),
        lambda: if_allowed(client.list_disks),
        # Asked for once, so that nobody who wants to know it later has to wait.
        lambda: connection.user_id,
    ]
    me, teams, keys, disks, _ = (answer.result() for answer in run_all_behind(connection, questions))
    return Account(
        person=me and (me.name or me.email or me.id),
        may_launch=_may_launch(me),
        teams=tuple(team for team in teams or () if team.team_id),
        keys=None if keys is None else tuple(keys),
        disks=tuple(disk for disk in disks or () if disk.id and disk.status != "TERMINATED"),
    )


def _may_launch(me: User | None) -> bool:
    known = {name.casefold(): may for name, may in me.scope.items()} if me else {}
    if "instances" not in known:
        return True
    may = known["instances"]
    return may is not None and may.write is not False
