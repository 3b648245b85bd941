"""Every kind of DataFrame that we return, built without rows: rows change neither columns nor dtypes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import pandas as pd

from primepods_magic import costs, frames
from primepods_magic.notebook.commands.costs_report import TIMELINE
from primepods_magic.remote.files.results import TransferResult


@dataclass(frozen=True)
class Frame:
    """One kind of answer: as the code calls it, as a heading, in a sentence, and which commands give it."""

    kind: str
    title: str
    words: str
    commands: tuple[str, ...]
    build: Callable[[], pd.DataFrame]


def _ledger() -> pd.DataFrame:
    return costs.ledger(frames.history_frame([]))


def _breakdown() -> pd.DataFrame:
    split = costs.breakdown(_ledger(), freq="M")
    return costs.running(costs.compared(split, "M"))


_NOW = datetime(2026, 9, 14, tzinfo=timezone.utc)

FRAMES = (
    Frame(
        "wallets",
        "Wallets",
        "A row for each wallet, yours first.",
        ("overview",),
        lambda: frames.overview_frame([]),
    ),
    Frame(
        "pods",
        "Pods as a table",
        "A row for each pod. It contains no passwords and no environment values.",
        ("ls", "wait"),
        lambda: frames.pods_frame([]),
    ),
    Frame(
        "status",
        "Status",
        "A row for each requested pod.",
        ("status",),
        lambda: frames.status_frame([]),
    ),
    Frame("offers", "Offers", "A row for each offer.", ("avail",), lambda: frames.offers_frame([])),
    Frame("gpus", "GPU types", "A row for each GPU type.", ("gpus",), lambda: frames.gpus_frame([])),
    Frame(
        "alerts",
        "Alerts",
        "A row for each alert, and for each launch that waits for stock.",
        ("alert",),
        lambda: frames.alerts_frame([]),
    ),
    Frame(
        "removed",
        "Removed pods",
        "A row for each pod that was terminated.",
        ("rm",),
        lambda: frames.removed_frame([]),
    ),
    Frame(
        "history",
        "History",
        "A row for each pod, disk or other thing that was billed.",
        ("history",),
        lambda: frames.history_frame([]),
    ),
    Frame(
        "costs",
        "Costs",
        "A row for each period (with `--freq`) and value of the `--by` columns, which come after `period`. "
        "The last four columns appear only with `--compare` and `--running`. `last-month` has no "
        "`period`, and ends with `estimated_usd`.",
        ("costs",),
        _breakdown,
    ),
    Frame(
        "month",
        "Costs month",
        "A row for each wallet, and one for the total, whose `hours_left` and `empty_at` are those of the "
        "first wallet to run empty.",
        ("costs",),
        lambda: costs.month(frames.overview_frame([]), _NOW),
    ),
    Frame("dearest", "Costs dearest", "A row for each pod.", ("costs",), lambda: costs.dearest(_ledger())),
    Frame(
        "prices",
        "Costs prices",
        "A row for each GPU type.",
        ("costs",),
        lambda: costs.gpu_hour_prices(_ledger(), frames.offers_frame([])),
    ),
    Frame(
        "spot",
        "Costs spot",
        "A row for each GPU type.",
        ("costs",),
        lambda: costs.spot_savings(_ledger(), frames.offers_frame([])),
    ),
    Frame(
        "waste",
        "Costs waste",
        "A row for each pod or disk that is worth a look.",
        ("costs",),
        lambda: costs.waste(_ledger(), pods=frames.pods_frame([]), disks=frames.disks_frame([]), now=_NOW),
    ),
    Frame("timeline", "Costs timeline", "A row for each pod.", ("costs",), lambda: _ledger()[list(TIMELINE)]),
    Frame(
        "ledger",
        "Ledger",
        "The result of `costs.ledger` and `costs.read_ledger`: a row for each thing that has a cost.",
        (),
        _ledger,
    ),
    Frame(
        "focus",
        "FOCUS",
        "The result of `costs.to_focus`, and the content of the file of `%pods costs --focus`: a row for "
        "each thing that has a cost and day (UTC). The names are those of FOCUS.",
        (),
        lambda: costs.to_focus(_ledger()),
    ),
    Frame(
        "files",
        "Files",
        "A row for each file.",
        ("put", "get", "sync"),
        lambda: frames.files_frame(TransferResult("train", 0, 0.0, ())),
    ),
    Frame(
        "audit",
        "Audit log",
        "A row for each step of a create or a termination.",
        ("audit",),
        lambda: frames.audit_frame([]),
    ),
    Frame("cells", "Cells", "A row for each cell.", ("cells",), lambda: frames.cells_frame([])),
    Frame("cache", "Cache", "A row for each stored history.", ("cache",), lambda: frames.cache_frame([])),
    Frame(
        "billings",
        "Billings",
        "A row for each pod or disk that a wallet was billed for.",
        ("wallet",),
        lambda: frames.billings_frame([]),
    ),
    Frame("disks", "Disks", "A row for each disk.", ("disks",), lambda: frames.disks_frame([])),
    Frame(
        "disk_offers",
        "Offers of disks",
        "The result of `%pods disks offers`: a row for each place where a disk can be created.",
        ("disks",),
        lambda: frames.disk_offers_frame([]),
    ),
    Frame(
        "deleted_disks",
        "Deleted disks",
        "The result of `%pods disks rm`: a row for each disk.",
        ("disks",),
        lambda: frames.deleted_disks_frame([]),
    ),
    Frame("keys", "SSH keys", "A row for each key.", ("keys",), lambda: frames.keys_frame([])),
    Frame("teams", "Teams", "A row for each team.", ("teams",), lambda: frames.teams_frame([])),
    Frame(
        "members", "Members", "A row for each member of a team.", ("teams",), lambda: frames.members_frame([])
    ),
    Frame("jobs", "Jobs", "A row for each job.", ("jobs",), lambda: frames.jobs_frame([])),
    Frame(
        "kernels",
        "Kernels on pods",
        "A row for each kernel of a pod in Jupyter's kernel picker.",
        ("kernel",),
        lambda: frames.kernels_frame([]),
    ),
    Frame(
        "packages",
        "Packages",
        "A row for Python, and one for each package: first what is missing, then what differs.",
        ("env",),
        lambda: frames.packages_frame([]),
    ),
    Frame(
        "guards",
        "Guards",
        "A row for each rule of each guard.",
        ("guard", "hold"),
        lambda: frames.guards_frame([]),
    ),
    Frame(
        "signals",
        "Activity on a pod",
        "A row for each signal that keeps a pod from being idle.",
        ("guard",),
        lambda: frames.signals_frame([]),
    ),
    Frame(
        "endings",
        "Ends of guarded pods",
        "A row for each guarded pod that has ended, the latest first.",
        ("guard",),
        lambda: frames.endings_frame([]),
    ),
    Frame("checks", "Checks", "A row for each check.", ("doctor",), lambda: frames.checks_frame([])),
)
