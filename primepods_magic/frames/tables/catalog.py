"""Columns of every kind of frame, and what is derived from them: descriptions, dtypes, docstring tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, TypeVar

from .account import BILLINGS, DISKS, KEYS, MEMBERS, TEAMS, WALLETS
from .costs import COSTS, LEDGER, MONTH, PRICES, SPOT, WASTE
from .history import HISTORY
from .local import CACHE, CHECKS
from .offers import OFFERS
from .pods import PODS, REMOVED, STATUS
from .schema import Column, pick

__all__ = ["COLUMNS", "TABLES", "document_columns", "meaning"]

F = TypeVar("F", bound=Callable[..., Any])

TABLES: Mapping[str, tuple[Column[Any], ...]] = {
    "pods": PODS,
    "status": STATUS,
    "costs": COSTS,
    "ledger": LEDGER,
    "history": HISTORY,
    "wallets": WALLETS,
    "month": MONTH,
    "prices": PRICES,
    "spot": SPOT,
    "offers": OFFERS,
    "disks": DISKS,
    "members": MEMBERS,
    "teams": TEAMS,
    "keys": KEYS,
    "billings": BILLINGS,
    "removed": REMOVED,
    "cache": CACHE,
    "checks": CHECKS,
    "waste": WASTE,
}
"""Columns by kind of frame. A name means what its first table says, unless another table says otherwise."""

COLUMNS: Mapping[str, Column[Any]] = {
    column.name: column for column in reversed([*chain.from_iterable(TABLES.values())])
}
"""The first column of each name."""


def meaning(name: str, kind: str = "") -> str | None:
    """Return the description of a column with its unit; ``None`` if the column is not ours.

    >>> meaning("price_usd_hr"), meaning("price_usd_hr", "disks")
    ('USD per hour, in total', 'USD per hour, attached or not')
    """
    own = next((column.doc for column in TABLES.get(kind, ()) if column.name == name), "")
    return own or (COLUMNS[name].doc if name in COLUMNS else None)


def document_columns(kind: str, names: str = "") -> Callable[[F], F]:
    """Replace ``{columns}`` in a docstring by a table of the columns of a kind, or of some of them."""
    columns = pick(TABLES[kind], names) if names else TABLES[kind]
    cells = [(f"``{each.name}``", each.dtype, meaning(each.name, kind) or "") for each in columns]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [("=" * widths[0], "=" * widths[1], "=" * widths[2])]
    rows += [*cells, rows[0]]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]

    def fill(function: F) -> F:
        text = function.__doc__ or ""
        indent = re.search(r"^( *)\{columns\}", text, re.MULTILINE)
        function.__doc__ = text.replace("{columns}", f"\n{indent[1] if indent else ''}".join(lines))
        return function

    return fill
