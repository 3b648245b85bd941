"""What a transfer did with each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from primepods_magic.api.errors import TransferFailed
from primepods_magic.api.text.sanitize import join_first, sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.support.notices import warn

__all__ = ["FileResult", "TransferResult", "check_failures", "format_bytes", "join_names", "warn_left_alone"]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000
_MAX_NAMES = 5
_MAX_PATH_CHARS = 300


@dataclass(frozen=True, repr=False)
class FileResult(ShortRepr):
    """What was done with one file.

    Attributes
    ----------
    path : str
        Relative to the folder that was sent, fetched, or written into.
    action : str
        ``"sent"``, ``"fetched"``, ``"unchanged"``, ``"removed"``; ``"newer"`` if it is newer on the other
        side and was not overwritten; ``"skipped"`` if it cannot be transferred, or links out of the folder;
        with ``dry_run``, ``"would send"`` and ``"would remove"``.
    size_bytes : int
        Size of a file, else 0.
    detail : str
        Why it was skipped.
    """

    path: str
    action: str
    size_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, repr=False)
class TransferResult(ShortRepr):
    """What was done with all files of a transfer.

    Attributes
    ----------
    pod : str
        Name of the pod.
    files : tuple of FileResult
    sent_bytes : int
        Bytes of content that crossed, in either direction.
    seconds : float
        How long it took.
    """

    pod: str
    sent_bytes: int
    seconds: float
    files: tuple[FileResult, ...]

    def count_actions(self) -> dict[str, int]:
        """Return the number of files by action.

        >>> TransferResult("train", 0, 0.0, (FileResult("a.csv", "unchanged"),)).count_actions()
        {'unchanged': 1}
        """
        return dict(Counter(file.action for file in self.files))


def warn_left_alone(files: Iterable[FileResult]) -> None:
    """Warn of files that are not transferred."""
    files = list(files)
    newer = [shorten(file.path, _MAX_PATH_CHARS) for file in files if file.action == "newer"]
    skipped = [
        f"{shorten(file.path, _MAX_PATH_CHARS)} ({file.detail})" for file in files if file.action == "skipped"
    ]
    if newer:
        warn(
            f"Not overwritten, as they are newer than what would replace them: {join_names(newer)}. "
            "Pass --force to overwrite them"
        )
    if skipped:
        warn(f"Skipped: {join_names(skipped)}")


def check_failures(
    failures: Mapping[str, str], count: int, done: Literal["sent to", "fetched from", "removed on"], name: str
) -> None:
    """Raise TransferFailed if some of the files failed."""
    if failures:
        reasons = join_names(f"{shorten(path, _MAX_PATH_CHARS)} ({why})" for path, why in failures.items())
        others = " The others were." if len(failures) < count else ""
        raise TransferFailed(
            f"{len(failures)} of {count} files could not be {done} '{name}': {reasons}.{others} The pod is "
            "still billed",
            failures=failures,
        )


def join_names(names: Iterable[str]) -> str:
    """Return the first few names for a message."""
    return join_first([sanitize(name) for name in names], _MAX_NAMES)


def format_bytes(size: float) -> str:
    """Format a number of bytes.

    >>> format_bytes(1), format_bytes(999), format_bytes(41_300_000)
    ('1 byte', '999 bytes', '41.3 MB')
    """
    power = 0
    while size >= _STEP and power < len(_UNITS) - 1:
        size, power = size / _STEP, power + 1
    return "1 byte" if size == 1 and not power else f"{size:.3g} {_UNITS[power]}"
