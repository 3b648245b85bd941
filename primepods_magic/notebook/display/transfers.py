"""The result of a transfer of files, as a frame and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .captions import caption

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.remote.files.results import TransferResult

__all__ = ["describe_transfer", "show_transfer_result"]

_SHOW_RATE_S = 0.5


def show_transfer_result(connection: Connection, result: TransferResult) -> Any:
    """Return a frame of what was done with each file."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import files_frame
    from primepods_magic.notebook.display.frames import mark_for_display

    count = len(result.files)
    notes = [sanitize(result.pod), *describe_transfer(result)]
    return mark_for_display(
        files_frame(result), kind="files", caption=caption(connection, count, count, "file", *notes)
    )


def describe_transfer(result: TransferResult) -> list[str]:
    """Return how many files had what done with them, and how fast.

    >>> from primepods_magic.remote.files.results import FileResult, TransferResult
    >>> describe_transfer(TransferResult("train", 12_000_000, 2.0, (FileResult("a", "sent", 12_000_000),)))
    ['1 sent', '12 MB in 2.0 s', '6 MB/s']
    """
    from primepods_magic.remote.files.results import format_bytes

    notes = [f"{number} {action}" for action, number in result.count_actions().items()]
    if result.sent_bytes:
        notes.append(f"{format_bytes(result.sent_bytes)} in {result.seconds:.1f} s")
        if result.seconds > _SHOW_RATE_S:
            notes.append(f"{format_bytes(result.sent_bytes / result.seconds)}/s")
    return notes
