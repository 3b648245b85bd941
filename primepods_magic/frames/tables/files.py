"""Frame of the files of a transfer."""

from __future__ import annotations

import pandas as pd

from primepods_magic.remote.files.results import FileResult, TransferResult

from .schema import Column, build

__all__ = ["FILES", "files_frame"]


def files_frame(result: TransferResult) -> pd.DataFrame:
    """Build a frame of what a transfer did with each file.

    >>> files_frame(TransferResult("train", 0, 0.0, ())).columns.tolist()
    ['path', 'action', 'size_bytes', 'detail']
    """
    return build(FILES, result.files)


FILES: tuple[Column[FileResult], ...] = (
    Column("path", "string", doc="relative to the folder", format="strong"),
    Column(
        "action",
        "string",
        doc="sent, fetched, unchanged, removed, newer (and not overwritten), or skipped; with --dry-run, "
        "would send and would remove",
        format="badge",
    ),
    Column("size_bytes", "Int64", doc="size in bytes", format="number"),
    Column("detail", "string", doc="why it was skipped"),
)
