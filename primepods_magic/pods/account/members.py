"""Lookup of the members of a team with whom a pod is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from primepods_magic.api.account import TeamMember
from primepods_magic.api.errors import InvalidRequest, NotFound, PermissionDenied
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.name_matching import is_same_id

__all__ = ["find_members"]


def find_members(
    connection: Connection, team_id: str | None, given: Iterable[str], tell: Callable[[str], object]
) -> list[str]:
    """Return the ids of members of a team, given by name (in any letter case), e-mail address or id.

    Show whom each name stands for. If the key may not list the members, ids are taken as they are. Raises
    InvalidRequest if there is no team, or if none or several members match.
    """
    if team_id is None:
        raise InvalidRequest("Only the pod of a team can be shared with its members. Add 'team:'")
    try:
        members = [member for member in connection.client.list_team_members(team_id) if member.user_id]
    except (PermissionDenied, NotFound):
        return [_require_id(text) for text in given]
    ids = [_find_member(members, text, tell) for text in given]
    return list(dict.fromkeys(ids))


def _require_id(text: str) -> str:
    if "@" in text or " " in text:
        raise InvalidRequest(
            f"This key cannot list the members of the team, so '{sanitize(text)}' cannot be looked up. Give "
            "the member's id"
        )
    return text


def _find_member(members: Iterable[TeamMember], text: str, tell: Callable[[str], object]) -> str:
    members = list(members)
    for member in members:
        if is_same_id(member.user_id, text):
            return str(member.user_id)
    word = text.strip().casefold()
    found = [
        member
        for member in members
        if word in ((member.user_email or "").casefold(), (member.user_name or "").casefold())
    ]
    if len(found) == 1:
        (member,) = found
        who = member.user_name or text
        tell(f"Shared with {sanitize(who)} ({sanitize(member.user_email or member.user_id)})")
        return str(member.user_id)
    if found:
        addresses = join_sanitized(member.user_email or member.user_id for member in found)
        raise InvalidRequest(
            f"Several members of the team are called '{sanitize(text)}' ({addresses}). Name one by its "
            "e-mail address"
        )
    names = [name for member in members for name in (member.user_name, member.user_email) if name]
    hint = suggest(text, names) or f" (there are: {join_sanitized(names)})"
    raise InvalidRequest(f"No member of the team is called '{sanitize(text)}'{hint}")
