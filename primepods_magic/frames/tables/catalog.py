"""Columns of every kind of frame, and what is derived from them: descriptions, dtypes, docstring tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, TypeVar

from .account import BILLINGS, DELETED_DISKS, DISK_OFFERS, DISKS, KEYS, MEMBERS, TEAMS, WALLETS
from .cells import CELLS
from .costs import COSTS, FOCUS, LEDGER, MONTH, PRICES, SPOT, WASTE
from .files import FILES
from .guards import ALERTS, ENDINGS, GUARDS, SIGNALS
from .history import HISTORY
from .local import AUDIT, CACHE, CHECKS, JOBS, KERNELS
from .offers import GPUS, OFFERS
from .packages import PACKAGES
from .pods import PODS, REMOVED, STATUS
from .schema import Column, pick

__all__ = ["COLUMNS", "SHOWN", "TABLES", "document_columns", "meaning"]

F = TypeVar("F", bound=Callable[..., Any])

TABLES: Mapping[str, tuple[Column[Any], ...]] = {
    "pods": PODS,
    "status": STATUS,
    "costs": COSTS,
    "ledger": LEDGER,
    "focus": FOCUS,
    "history": HISTORY,
    "wallets": WALLETS,
    "month": MONTH,
    "prices": PRICES,
    "spot": SPOT,
    "offers": OFFERS,
    "gpus": GPUS,
    "disks": DISKS,
    "disk_offers": DISK_OFFERS,
    "deleted_disks": DELETED_DISKS,
    "members": MEMBERS,
    "teams": TEAMS,
    "keys": KEYS,
    "billings": BILLINGS,
    "removed": REMOVED,
    "cache": CACHE,
    "checks": CHECKS,
    "jobs": JOBS,
    "kernels": KERNELS,
    "waste": WASTE,
    "cells": CELLS,
    "files": FILES,
    "packages": PACKAGES,
    "guards": GUARDS,
    "signals": SIGNALS,
    "endings": ENDINGS,
    "alerts": ALERTS,
    "audit": AUDIT,
}
"""Columns by kind of frame. A name means what its first table says, unless another table says otherwise."""

SHOWN: Mapping[str, str] = {
    "pods": "name status gpu gpu_count price_usd_hr | nodes ssh installation_status created_at provider id",
    "status": "name status installation_status | id price_usd_hr installation_failure ssh provider",
    "removed": "name outcome billed_usd duration | id",
    "offers": "gpu gpu_count price_hr price_gpu_hr stock provider | nodes cloud_id region is_spot vcpus "
    "memory_gb disk_gb country data_center socket security usd_gb_vram",
    "gpus": "gpu gpu_memory_gb cheapest_usd_gpu_hr cheapest_provider offers | usd_gb_vram gpu_counts "
    "providers",
    "history": "name gpu gpu_count billed_usd duration | price_usd_hr terminated_at provider gpu_hours "
    "created_at provisioned_by remarks",
    "wallets": "wallet balance_usd burn_usd_hr hours_left today_usd month_usd pods disks",
    "billings": "resource_type amount_usd last_billed_at | name resource_id created_at",
    "disks": "name status size_gb price_usd_hr | pods country provider data_center created_at id",
    "disk_offers": "provider data_center country price_usd_gb_month stock | size_min_gb size_max_gb region",
    "deleted_disks": "name outcome size_gb | id",
    "keys": "name is_primary | fingerprint type id created_at",
    "checks": "check result detail what_to_do",
    "kernels": "name display_name pod session | path pod_id",
    "jobs": "id state title pod duration estimated_usd | started_at session",
    "cells": "pod title state duration estimated_usd | idle idle_usd gpu_mean_pct gpu_peak_pct started_at "
    "gpu gpu_count session job",
    "files": "path action size_bytes | detail",
    "packages": "package version_here version_there state | what_to_do modules",
    "guards": "pod rule setting where state due_at why | checked_at held_until",
    "signals": "signal state value quiet | age reason",
    "endings": "pod ended_at outcome why billed_usd | estimated_usd rule saved",
    "audit": "at event service pod gpu gpu_count price_usd_hr | billed_usd cause detail front_end pod_id "
    "host",
    "alerts": "what state id offer price_usd_hr checked_at | since until trouble seen_at",
    "spot": "gpu saving_usd cost_usd gpu_hours | spot_usd_gpu_hr paid_usd_gpu_hr spot_cost_usd "
    "on_demand_usd_gpu_hr",
}
"""Columns that are shown of a kind of frame, in the order in which people decide by them. If space is short,
those at the end are left out first; those after the bar also if they are empty. Other kinds show their first
columns."""

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
