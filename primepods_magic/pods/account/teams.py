"""Which team a user means."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.account import Disk, Team
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import NotFound, PermissionDenied
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.name_matching import fold_letters

__all__ = ["find_team", "is_same_team", "list_payers"]


def list_payers(
    connection: Connection, teams: Iterable[Team] | None, things: Iterable[PodDetails | Disk]
) -> list[Team]:
    """Return the teams that may be billed for what is mine: those that I am in, and those that live pods and
    disks of mine name, by id alone.

    Parameters
    ----------
    connection : Connection
        Whose.
    teams : iterable of Team, optional
        My teams, where the key may list them.
    things : iterable of PodDetails or Disk
        What lives.
    """
    payers = {team.team_id: team for team in teams or () if team.team_id}
    for thing in things:
        is_over = thing.status == PodStatus.TERMINATED
        if thing.team_id and not is_over and connection.may_be_mine(thing):
            payers.setdefault(thing.team_id, Team(team_id=thing.team_id))
    return list(payers.values())


def find_team(connection: Connection, text: str) -> Team:
    """The team of mine with this name (whatever the case), slug or id. Where the key may not list teams, the
    text is taken for an id.

    Raises
    ------
    NotFound
        None, or several.

    Examples
    --------
    >>> find_team(connect(sandbox=True), "analytical engines").role          # doctest: +SKIP
    'ADMIN'
    """
    if not text.strip():
        raise NotFound("an empty text is not the name or the id of a team. Nothing was done")
    try:
        teams = connection.client.list_teams()
    except PermissionDenied:
        return Team(team_id=text)
    found = [team for team in teams if team.team_id == text]
    found = found or [
        team for team in teams if text.casefold() in (_fold_case(team.name), _fold_case(team.slug))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = join_sanitized(team.team_id for team in found)
        raise NotFound(f"several teams are called '{sanitize(text)}' ({ids}); name one by its id")
    names = [team.name for team in teams if team.name]
    known = suggest(text, names) or (f" (yours: {join_sanitized(names)})" if names else "")
    raise NotFound(f"you are in no team '{sanitize(text)}'{known}")


def is_same_team(connection: Connection, one: str | None, other: str | None) -> bool:
    """Return whether two texts mean one team: spelled alike, or each its id, slug or name. My teams are asked
    for only if the texts differ; where this key may not list teams, such texts are different teams."""
    if one is None or other is None or fold_letters(one) == fold_letters(other):
        return one == other or None not in (one, other)
    try:
        teams = connection.client.list_teams()
    except (NotFound, PermissionDenied):
        return False
    wanted = {fold_letters(one), fold_letters(other)}
    words = ({fold_letters(word) for word in (team.team_id, team.slug, team.name)} for team in teams)
    return any(wanted <= known for known in words)


def _fold_case(text: str | None) -> str | None:
    return text.casefold() if text else None
