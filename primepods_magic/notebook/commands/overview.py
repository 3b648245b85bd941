"""Show your account at a glance, as a DataFrame.

It shows where you are connected, your live pods and their hourly cost, spending today and this month, and
how long the balance lasts at this rate. Your own wallet comes first, then those of your teams.

  %pods
  df = %pods
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the overview of the wallets."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import overview_frame
    from primepods_magic.notebook.display.captions import (
        DISKS_UNSEEN,
        OWNERS_UNKNOWN,
        TEAMS_UNSEEN,
        describe_guards,
        describe_unknown_costs,
        describe_unpriced,
    )
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.account.budgets import find_budgets
    from primepods_magic.pods.account.overview import overview
    from primepods_magic.pods.support.rates import get_rate_usd_hr

    connection = magics.connection
    seen = overview(connection)
    mine = sum(wallet.pods_mine for wallet in seen.wallets)
    burn = sum(wallet.burn_mine_usd_hr for wallet in seen.wallets)
    parts = [connection.label, sanitize(seen.person) if seen.person else "an account without a name"]
    is_unknown = mine > 0 and connection.user_id is None
    whose = "" if is_unknown else " of yours"
    parts.append(f"{mine or 'no'} live pod{'' if mine == 1 else 's'}{whose}, {format_usd_hr(burn)}")
    if is_unknown:
        parts.append(OWNERS_UNKNOWN)
    parts += describe_unpriced([thing for wallet in seen.wallets for thing in wallet.unpriced])
    undated = [thing for wallet in seen.wallets for thing in wallet.undated]
    parts += describe_unknown_costs((thing.name, get_rate_usd_hr(thing)) for thing in undated)
    parts += [str(budget) for budget in find_budgets(connection, magics.max_month_usd, seen=seen)]
    parts += describe_guards(connection)
    if seen.wallets[0].disks is None:
        parts.append(DISKS_UNSEEN)
    if not seen.may_list_teams:
        parts.append(TEAMS_UNSEEN)
    return mark_for_display(overview_frame(seen.wallets), kind="wallets", caption=" · ".join(parts))
