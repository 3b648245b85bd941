"""Budgets for a month: of a person, of a wallet, and of teams, compared with what is and will be spent."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from primepods_magic.api.errors import BudgetExceeded, InvalidRequest
from primepods_magic.api.local.atomic_files import read_plain_file
from primepods_magic.api.local.folders import find_folder, shorten_path
from primepods_magic.api.text.money import format_usd
from primepods_magic.api.text.sanitize import join_sanitized, sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.validation.bounds import plain_number
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.parser import load_yaml
from primepods_magic.pods.support.name_matching import is_same_payer

from .overview import Overview, WalletState, overview

__all__ = ["BUDGET_FILE", "BudgetState", "Order", "check_budgets", "find_budgets", "has_budgets"]

BUDGET_FILE = "budgets.yaml"
_DEFAULT_HOURS = 24.0
_WARNED_SHARE = 0.8
_MAX_BYTES = 1 << 16
_SETTING = "max_month_usd"


@dataclass(frozen=True, repr=False)
class Order(ShortRepr):
    """A pod to be launched: its price in USD per hour, and how many hours it lasts, by default one day."""

    name: str
    price_usd_hr: float
    team_id: str | None
    hours: float | None = None


@dataclass(frozen=True)
class BudgetState:
    """A budget, what has been spent of it since the first of the month (UTC), and what is spent per hour.

    That hour counts what is starting as if it were up. ``wallets`` are those that it covers; with
    ``is_person``, only what is mine in them.
    """

    name: str
    limit_usd: float
    spent_usd: float
    burn_usd_hr: float
    wallets: tuple[str | None, ...]
    is_person: bool

    def estimate_usd(self, orders: Sequence[Order], now: datetime) -> float:
        """Estimate what will have been spent this month once the orders end, or after a day."""
        left_hr = (_find_next_month(now) - now) / timedelta(hours=1)
        lasts = [min(order.hours or _DEFAULT_HOURS, left_hr) for order in orders]
        costs = [order.price_usd_hr * hours for order, hours in zip(orders, lasts, strict=True)]
        return self.spent_usd + self.burn_usd_hr * max(lasts, default=0.0) + math.fsum(costs)

    def covers(self, order: Order) -> bool:
        """Return whether an order is paid from this budget."""
        return self.is_person or any(is_same_payer(order.team_id, wallet) for wallet in self.wallets)

    def __str__(self) -> str:
        return f"{format_usd(self.spent_usd)} of {format_usd(self.limit_usd)} this month ({self.name})"


def find_budgets(
    connection: Connection, max_month_usd: float | None = None, *, seen: Overview | None = None
) -> list[BudgetState]:
    """Return the budgets and their states; nothing is requested if there are none, and little with ``seen``.

    ``max_month_usd`` is a budget for everything that is mine. Those in ``budgets.yaml`` in our folder for
    settings are by ``mine``, the name or id of a team, or my name, e-mail address or id. Raises
    InvalidRequest if that file cannot be read as such, PodsError if the service cannot be asked.
    """
    limits = _read_budget_file()
    if max_month_usd is None and not limits:
        return []
    seen = seen or overview(connection)
    budgets = [] if max_month_usd is None else [_make_personal(_SETTING, max_month_usd, seen)]
    for name, limit_usd in limits.items():
        budgets += _match_budget(connection, name, limit_usd, seen)
    return budgets


def has_budgets(max_month_usd: float | None) -> bool:
    """Return whether anything is limited. Raises InvalidRequest as `find_budgets`."""
    return max_month_usd is not None or bool(_read_budget_file())


def check_budgets(
    connection: Connection,
    orders: Sequence[Order],
    max_month_usd: float | None,
    tell: Callable[[str], object],
) -> None:
    """Raise BudgetExceeded if orders would pass a budget of this month; tell if they pass 80 % of one."""
    if not orders:
        return
    now = connection.now()
    for budget in find_budgets(connection, max_month_usd):
        covered = [order for order in orders if budget.covers(order)]
        if not covered:
            continue
        names = ", ".join(f"'{sanitize(order.name)}'" for order in covered)
        after_usd = budget.estimate_usd(covered, now)
        until = "their end" if all(order.hours for order in covered) else "tomorrow"
        text = f"{budget}. With {names} and what runs, it will be about {format_usd(after_usd)} by {until}"
        if after_usd > budget.limit_usd:
            raise BudgetExceeded(f"{text}, which is above the budget. Nothing was created")
        if after_usd > _WARNED_SHARE * budget.limit_usd:
            tell(f"{text}, {after_usd / budget.limit_usd:.0%} of the budget")


def _make_personal(name: str, limit_usd: float, seen: Overview) -> BudgetState:
    return BudgetState(
        name=name,
        limit_usd=limit_usd,
        spent_usd=math.fsum(wallet.month_mine_usd or 0.0 for wallet in seen.wallets),
        burn_usd_hr=math.fsum(wallet.highest_burn_mine_usd_hr for wallet in seen.wallets),
        wallets=tuple(wallet.team_id for wallet in seen.wallets),
        is_person=True,
    )


def _match_budget(connection: Connection, name: str, limit_usd: float, seen: Overview) -> list[BudgetState]:
    word = _fold_name(name)
    wallet = next((wallet for wallet in seen.wallets if word in _list_names(wallet)), None)
    if wallet is not None:
        state = BudgetState(
            name=sanitize(name),
            limit_usd=limit_usd,
            spent_usd=wallet.month_usd or 0.0,
            burn_usd_hr=wallet.highest_burn_usd_hr,
            wallets=(wallet.team_id,),
            is_person=False,
        )
        return [state]
    me = connection.client.whoami()
    if word in [_fold_name(text) for text in (me.name, me.email, me.slug, me.id) if text]:
        return [_make_personal(sanitize(name), limit_usd, seen)]
    if "@" in name:
        # The budget of another person is checked where that person launches.
        return []
    known = [wallet.name for wallet in seen.wallets]
    hint = suggest(name, known) or f" (there are: {join_sanitized(known)})"
    raise InvalidRequest(
        f"The budget '{shorten(sanitize(name), 40)}' is of no wallet, team or person that this key can see"
        f"{hint}. Nothing was sent. Correct {BUDGET_FILE}"
    )


def _fold_name(name: str) -> str:
    return " ".join(name.split()).casefold()


def _list_names(wallet: WalletState) -> list[str]:
    return [_fold_name(text) for text in (wallet.name, wallet.team_id) if text]


def _read_budget_file() -> dict[str, float]:
    folder = find_folder("config")
    path = folder / BUDGET_FILE if folder else None
    if path is None or not os.path.lexists(path):
        return {}
    shown = shorten_path(path)
    try:
        text = read_plain_file(path, max_bytes=_MAX_BYTES).decode()
        content = load_yaml(text, 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"Cannot read the budgets in {shown} ({type(error).__name__}). Nothing was sent"
        ) from None
    except InvalidRequest as error:
        raise InvalidRequest(f"The budgets in {shown}: {error}") from None
    rows = content.get("budgets", content) if isinstance(content, dict) else content
    is_mapping = isinstance(rows, dict) and (rows is content or len(content) == 1)
    limits = {name: _read_amount(value) for name, value in rows.items()} if is_mapping else {"": None}
    for name, limit in limits.items():
        if limit is None:
            raise InvalidRequest(
                f"The budgets in {shown} must be lines such as 'mine: 500', with USD per month; "
                f"'{shorten(sanitize(name), 40)}' has no such amount. Nothing was sent"
            )
    return {str(name): limit for name, limit in limits.items() if limit is not None}


def _read_amount(value: object) -> float | None:
    amount = plain_number(value.removeprefix("$")) if isinstance(value, str) else None
    return amount if amount is not None and 0 <= amount < math.inf else None


def _find_next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
