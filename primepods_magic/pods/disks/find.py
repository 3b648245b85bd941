"""Lookup of disks by id or name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import InvalidRequest, NameInUse, NotFound
from primepods_magic.api.text.sanitize import join_first, join_sanitized, sanitize
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.name_matching import fold_name, is_same_payer

__all__ = ["find_attachable", "find_disk", "find_disks", "list_named"]


_MAX_HOLDERS = 3


def find_disk(connection: Connection, text: str, *, to_change: bool = False) -> Disk:
    """Return the disk with this id or name. Errors as `find_disks`."""
    return find_disks(connection, [text], to_change=to_change)[0]


def find_disks(connection: Connection, texts: Iterable[str], *, to_change: bool = False) -> list[Disk]:
    """Return the disks that several texts name, each once, by one list request.

    ``to_change`` requires the exact id, or the exact name of one of my disks. Raises NotFound, or NameInUse
    if several match.
    """
    disks = connection.client.list_disks()
    picked = {disk.id: disk for disk in (_pick_disk(connection, disks, text, to_change) for text in texts)}
    if to_change and not all(picked):
        raise InvalidRequest("The service gives no id for this disk, so it cannot be named. Nothing was done")
    return list(picked.values())


def find_attachable(connection: Connection, texts: Iterable[str], tell: Callable[[str], object]) -> list[str]:
    """Return the ids of disks to attach to a new pod, by id or name; errors as `find_disks`.

    ``tell`` receives a notice about each that another pod has to free first.
    """
    disks = find_disks(connection, texts)
    for disk in disks:
        name = shorten_word(disk.name or disk.id or "")
        if not disk.id or not disk.is_live:
            why = "is being deleted or gone" if disk.id else "has no id"
            raise InvalidRequest(f"The disk '{name}' {why}, so it cannot be attached. Nothing was done")
        if disk.holders and disk.info.is_multinode is False:
            holders = join_first(disk.holders, _MAX_HOLDERS)
            tell(f"The disk '{name}' serves one pod and is attached to {holders}: terminate that pod first")
    return [disk.id for disk in disks if disk.id]


def list_named(connection: Connection, disks: Iterable[Disk], name: str, team_id: str | None) -> list[Disk]:
    """Return the live disks of this name that are mine, or may be, in a team or in none.

    Services trim names and change their case.
    """
    return [
        disk
        for disk in disks
        if disk.is_live
        and fold_name(disk.name) == fold_name(name)
        and connection.may_be_mine(disk)
        and is_same_payer(disk.team_id, team_id)
    ]


def _pick_disk(connection: Connection, disks: list[Disk], text: str, to_change: bool) -> Disk:
    by_id = [disk for disk in disks if disk.id and disk.id == text]
    by_name = [disk for disk in disks if disk.name == text and disk.is_live]
    if not to_change:
        by_name = [disk for disk in by_name if connection.may_be_mine(disk)] or by_name
    matches = by_id + [disk for disk in by_name if disk.id != text]
    if to_change and not by_id and matches and not all(connection.may_be_mine(disk) for disk in matches):
        ids = join_sanitized(disk.id for disk in matches)
        raise NotFound(
            f"The disk '{sanitize(text)}' is not yours. Name it by its id ({ids}). Nothing was done"
        )
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = join_sanitized(disk.id or "no id" for disk in matches)
        raise NameInUse(
            f"{len(matches)} disks are called '{sanitize(text)}'. Name one by its id ({ids}). "
            "Nothing was done"
        )
    hint = suggest(text[:60], [disk.name for disk in disks if disk.name]) or ". '%pods disks' lists them"
    raise NotFound(f"There is no disk '{sanitize(text)}'{hint}. Nothing was done")
