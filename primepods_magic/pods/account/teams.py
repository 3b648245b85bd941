"""Lookup of teams."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.account import Team
from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import NotFound, PermissionDenied
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.name_matching import fold_letters, is_same_id

__all__ = ["find_team", "is_same_team", "list_payers"]


def list_payers(
    connection: Connection, teams: Iterable[Team] | None, things: Iterable[PodDetails | Disk]
) -> list[Team]:
    """List teams that may be billed for my pods and disks: mine, and those that live things name.

    The latter are known by id only. `teams` is None if the key may not list them.
    """
    payers = {team.team_id: team for team in teams or () if team.team_id}
    for thing in things:
        is_gone = thing.status == PodStatus.TERMINATED
        is_known = any(is_same_id(thing.team_id, known) for known in payers)
        if thing.team_id and not is_known and not is_gone and connection.may_be_mine(thing):
            payers[thing.team_id] = Team(team_id=thing.team_id)
    return list(payers.values())


def find_team(connection: Connection, text: str) -> Team:
    """Return my team with this name (in any letter case), slug or id.

    If the key may not list teams, the text is used as an id. Raises NotFound if none or several match.

    >>> find_team(connect(sandbox=True), "analytical engines").role          # doctest: +SKIP
    'ADMIN'
    """
    if not text.strip():
        raise NotFound("Cannot find a team without a name or an id. Nothing was done")
    try:
        teams = connection.client.list_teams()
    except PermissionDenied:
        return Team(team_id=text)
    matches = [team for team in teams if team.team_id == text]
    matches = matches or [
        team for team in teams if text.casefold() in (_fold_case(team.name), _fold_case(team.slug))
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = join_sanitized(team.team_id for team in matches)
        raise NotFound(f"Several teams are called '{sanitize(text)}'. Name one by its id ({ids})")
    names = [team.name for team in teams if team.name]
    known = suggest(text, names) or (f" (yours: {join_sanitized(names)})" if names else "")
    raise NotFound(f"You are not in a team called '{sanitize(text)}'{known}")


def is_same_team(connection: Connection, one: str | None, other: str | None) -> bool:
    """Return whether two texts name one team: spelled alike, or each its id, slug or name.

    Teams are listed only if the texts differ; without permission for that, such texts are different teams.
    """
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
