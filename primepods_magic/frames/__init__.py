"""Answers of the Pods API as plain ``pandas.DataFrame``: one thing under one name, explicit dtypes."""

from __future__ import annotations

from .account import (
    billings_frame,
    disks_frame,
    keys_frame,
    members_frame,
    overview_frame,
    teams_frame,
)
from .cache import cache_frame
from .checks import checks_frame
from .files import load_frame, save_frame
from .history import history_frame, overlapping
from .offers import offers_frame
from .pods import pods_frame, status_frame
from .removed import removed_frame

__all__ = [
    "billings_frame",
    "cache_frame",
    "checks_frame",
    "disks_frame",
    "history_frame",
    "keys_frame",
    "load_frame",
    "members_frame",
    "offers_frame",
    "overlapping",
    "overview_frame",
    "pods_frame",
    "removed_frame",
    "save_frame",
    "status_frame",
    "teams_frame",
]
