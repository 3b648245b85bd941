"""Answers of the Pods API as plain ``pandas.DataFrame``: one thing under one name, explicit dtypes."""

from __future__ import annotations

from .history import history_frame
from .offers import offers_frame
from .pods import pods_frame, status_frame
from .removed import removed_frame

__all__ = [
    "history_frame",
    "offers_frame",
    "pods_frame",
    "removed_frame",
    "status_frame",
]
