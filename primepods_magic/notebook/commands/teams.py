"""List your teams, or the members of one, as a DataFrame.

  %pods teams
  %pods teams 'Analytical Engines'

TEAM is a name, a slug or an id.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("team", metavar="TEAM", nargs="?", help="list the members of this team")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the teams, or the members of one."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import members_frame, teams_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.account.teams import find_team

    connection = magics.connection
    if args.team is None:
        teams = connection.client.list_teams()
        return mark_for_display(
            teams_frame(teams), kind="teams", caption=caption(connection, len(teams), len(teams), "team")
        )
    team = find_team(connection, args.team)
    members = connection.client.list_team_members(str(team.team_id))
    text = caption(connection, len(members), len(members), "member", f"of {sanitize(team.name)}")
    return mark_for_display(members_frame(members), kind="members", caption=text)
