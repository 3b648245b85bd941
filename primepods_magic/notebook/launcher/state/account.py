"""Whose launcher it is: the person behind the key, and what the account has that a pod can use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.account import Disk, SshKey, Team, User
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
    """What the service says of an account, as far as the key may ask and the service answers.

    Parameters
    ----------
    person : str, optional
        Whose key it is.
    is_identified : bool
        It is known whose key it is, or that the key may not say.
    may_launch : bool
        The service does not say that the key may only read.
    teams : tuple of Team
        Who can be billed.
    keys : tuple of SshKey, optional
        Who can log in, the primary key first; ``None`` where that is not known.
    disks : tuple of Disk
        What can be attached.
    trouble : str
        What could not be asked, and why; empty where all could.
    """

    person: str | None = None
    is_identified: bool = False
    may_launch: bool = True
    teams: tuple[Team, ...] = ()
    keys: tuple[SshKey, ...] | None = None
    disks: tuple[Disk, ...] = ()
    trouble: str = ""


def read_account(connection: Connection) -> Account:
    """Ask for all of it, side by side. What is not answered is missing, and said to be."""
    client = connection.client
    questions: dict[str, Callable[[], Any]] = {
        "whose key it is": lambda: none_if_forbidden(client.whoami),
        "teams": lambda: none_if_forbidden(client.list_teams),
        "SSH keys": lambda: none_if_forbidden(lambda: list_keys(connection)),
        "disks": lambda: none_if_forbidden(client.list_disks),
        # Asked for once, so that nobody who wants to know it later has to wait.
        "your user id": lambda: connection.user_id,
    }
    asked = run_concurrently(connection, questions.values())
    failures = {name: one.exception() for name, one in zip(questions, asked, strict=True)}
    me, teams, keys, disks, _ = (None if one.exception() else one.result() for one in asked)
    missing = [name for name, error in failures.items() if error is not None]
    why = next((error for error in failures.values() if error is not None), None)
    said = sanitize(error_words(why)) if why else ""
    return Account(
        person=me and (me.name or me.email or me.id),
        is_identified=failures["your user id"] is None,
        may_launch=_may_launch(me),
        teams=tuple(team for team in teams or () if team.team_id),
        keys=None if keys is None else tuple(keys),
        disks=tuple(disk for disk in disks or () if disk.id and not has_ended(disk, connection.now())),
        trouble=f"not known: {', '.join(missing)} ({said})" if missing else "",
    )


def _may_launch(me: User | None) -> bool:
    known = {name.casefold(): may for name, may in me.scope.items()} if me else {}
    if "instances" not in known:
        return True
    may = known["instances"]
    return may is not None and may.write is not False
