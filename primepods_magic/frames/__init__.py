"""Responses of the Pods API as plain ``pandas.DataFrame``: explicit dtypes, one name for one thing."""

from __future__ import annotations

from primepods_magic.frames.tables.account import (
    billings_frame,
    deleted_disks_frame,
    disk_offers_frame,
    disks_frame,
    keys_frame,
    members_frame,
    overview_frame,
    teams_frame,
)
from primepods_magic.frames.tables.cells import cells_frame
from primepods_magic.frames.tables.files import files_frame
from primepods_magic.frames.tables.guards import alerts_frame, endings_frame, guards_frame, signals_frame
from primepods_magic.frames.tables.history import history_frame, overlapping
from primepods_magic.frames.tables.local import (
    audit_frame,
    cache_frame,
    checks_frame,
    jobs_frame,
    kernels_frame,
)
from primepods_magic.frames.tables.offers import gpus_frame, offers_frame
from primepods_magic.frames.tables.packages import packages_frame
from primepods_magic.frames.tables.pods import pods_frame, removed_frame, status_frame

from .files import load_frame, save_frame

__all__ = [
    "alerts_frame",
    "audit_frame",
    "billings_frame",
    "cache_frame",
    "cells_frame",
    "checks_frame",
    "deleted_disks_frame",
    "disk_offers_frame",
    "disks_frame",
    "endings_frame",
    "files_frame",
    "gpus_frame",
    "guards_frame",
    "history_frame",
    "jobs_frame",
    "kernels_frame",
    "keys_frame",
    "load_frame",
    "members_frame",
    "offers_frame",
    "overlapping",
    "overview_frame",
    "packages_frame",
    "pods_frame",
    "removed_frame",
    "save_frame",
    "signals_frame",
    "status_frame",
    "teams_frame",
]
