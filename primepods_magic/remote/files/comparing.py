"""Compare files here and there: which are to be sent, and which are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from primepods_magic.remote.agent.files.listing import Entry

from .results import FileResult

__all__ = ["Comparison", "compare_entries"]

HashPairs = Callable[[Sequence[tuple[Entry, Entry]]], Iterable[bool]]
"""Return for each pair of files of the same size whether their contents are the same."""


@dataclass
class Comparison:
    """The result of a comparison.

    Attributes
    ----------
    changed : list of Entry
        To be transferred, a folder before what is in it.
    touched : list of Entry
        The same but for their times or permissions.
    results : list of FileResult
        Of everything that needs no transfer.
    """

    changed: list[Entry] = field(default_factory=list)
    touched: list[Entry] = field(default_factory=list)
    results: list[FileResult] = field(default_factory=list)

    @property
    def total_bytes(self) -> int:
        """Size of the content to be transferred."""
        return sum(entry.size for entry in self.changed)

    def describe(self, there: Mapping[str, Entry], *, force: bool) -> list[dict[str, Any]]:
        """Return the facts of everything that is to be transferred.

        Without `force`, they say when what is overwritten was changed: it must not have changed since.
        """
        touched = [entry._replace(kind="touch", size=0) for entry in self.touched]
        facts: list[dict[str, Any]] = [{**entry._asdict(), "start": 0} for entry in self.changed + touched]
        for each in [] if force else facts:
            found = there.get(each["path"])
            each["seen"] = found.mtime_ns if found else None
        return facts


def compare_entries(
    entries: Iterable[Entry], there: Mapping[str, Entry], hash_pairs: HashPairs, *, force: bool
) -> Comparison:
    """Compare what is on the side that sends with what there is on the other.

    The same size and time count as unchanged; if only the time differs, hashes are compared, also if one
    side keeps only whole seconds. What is newer on the other side is left alone, unless `force`.
    """
    comparison = Comparison()
    unclear: list[tuple[Entry, Entry]] = []

    def add_changed(entry: Entry, found: Entry) -> None:
        if found.mtime_ns > entry.mtime_ns and not force:
            comparison.results.append(FileResult(entry.path, "newer", entry.size))
        else:
            comparison.changed.append(entry)

    for entry in entries:
        found = there.get(entry.path)
        if entry.kind in ("other", "unreadable"):
            detail = "not a file" if entry.kind == "other" else "cannot be read"
            comparison.results.append(FileResult(entry.path, "skipped", 0, detail))
        elif found is None:
            comparison.changed.append(entry)
        elif (found.kind == "dir") is not (entry.kind == "dir") or found.kind == "other":
            detail = f"a {'folder' if found.kind == 'dir' else 'file'} of that name is there"
            comparison.results.append(FileResult(entry.path, "skipped", 0, detail))
        elif entry.kind == "dir":
            if found.mode | 0o700 != entry.mode | 0o700:
                comparison.changed.append(entry)
        elif entry.kind != found.kind or entry.link != found.link or entry.size != found.size:
            add_changed(entry, found)
        elif entry.kind == "link" or entry.mtime_ns == found.mtime_ns:
            if entry.kind == "file" and entry.mode != found.mode:
                comparison.touched.append(entry)
            comparison.results.append(FileResult(entry.path, "unchanged", entry.size))
        else:
            unclear.append((entry, found))
    for (entry, found), is_same in zip(unclear, hash_pairs(unclear) if unclear else (), strict=True):
        if is_same:
            comparison.touched.append(entry)
            comparison.results.append(FileResult(entry.path, "unchanged", entry.size))
        else:
            add_changed(entry, found)
    if unclear:
        comparison.changed.sort(key=lambda entry: (entry.kind != "dir", entry.path))
    return comparison
