"""Files of two folders, compared and then transferred: the part that is the same in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.link import PodLink

from .comparing import Comparison
from .local_tree import hash_local
from .questions import hash_remote
from .results import FileResult, check_failures, join_names, warn_left_alone
from .streams import StreamWatch

__all__ = ["FolderTransfer", "refuse_collisions"]


@dataclass
class FolderTransfer:
    """Files of a local folder and of a folder of a pod; a subclass knows which side sends.

    Parameters
    ----------
    link : PodLink
    folder : str
        The local one.
    root : str
        The one of the pod.
    entries : list of Entry
        The files of the side that sends, by their names on the pod.
    force : bool
        Overwrite what is newer on the other side.
    """

    link: PodLink
    folder: str
    root: str
    entries: list[Entry]
    force: bool
    watch: StreamWatch
    local_names: dict[str, str] = field(default_factory=dict)
    """The name of a file here, by its name there, if that is another one."""
    comparison: Comparison = field(init=False)
    refused: list[FileResult] = field(init=False, default_factory=list)

    action: ClassVar[str]
    direction: ClassVar[Literal["sent to", "fetched from"]]
    """The action and its preposition, for errors."""

    @property
    def found(self) -> Mapping[str, Entry]:
        """The files that the other side has already."""
        raise NotImplementedError

    def run(self) -> list[FileResult]:
        """Transfer what has changed; return what was done with each file."""
        facts = self.comparison.describe(self.found, force=self.force)
        self._note_starts(facts)
        results = [self._name_result(each) for each in (*self.refused, *self.comparison.results)]
        warn_left_alone(results)
        if facts:
            self._check_space(facts)
            self.watch.total_bytes += sum(each["size"] - each["start"] for each in facts)
            failures = self._transfer_files(facts)
            results += [
                self._name_result(FileResult(entry.path, self.action, entry.size))
                for entry in self.comparison.changed
                if entry.path not in failures
            ]
            failed = {self._name_result(FileResult(path, "")).path: why for path, why in failures.items()}
            check_failures(failed, len(facts), self.direction, self.link.name)
        return results

    def find_paths(self, entry: Entry) -> tuple[str, str]:
        """Return what is written, as text that is the same for the same file, and from what."""
        raise NotImplementedError

    def _name_result(self, result: FileResult) -> FileResult:
        """Return a result with the name of the file that is written."""
        return result

    def _find_local(self, path: str) -> str:
        return self.local_names.get(path, path)

    def _hash_pairs(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        files = [(entry.path, entry.size) for entry, _ in pairs]
        return self._compare_contents(files, [(self._find_local(path), size) for path, size in files])

    def _compare_contents(
        self, there: Sequence[tuple[str, int]], here: Sequence[tuple[str, int]]
    ) -> list[bool]:
        """Return for each pair whether the beginnings, given with their sizes, are the same."""
        await_hashes = hash_remote(self.link, self.root, there)
        hashes = hash_local(self.folder, here)
        return [one == other != "" for one, other in zip(hashes, await_hashes(self.watch), strict=True)]

    def _note_starts(self, facts: list[dict[str, Any]]) -> None:
        """Note of large files how much of them the other side has from an earlier attempt."""
        raise NotImplementedError

    def _check_space(self, facts: Sequence[dict[str, Any]]) -> None:
        raise NotImplementedError

    def _transfer_files(self, facts: list[dict[str, Any]]) -> dict[str, str]:
        """Transfer files, and return by path why one was not."""
        raise NotImplementedError


def refuse_collisions(transfers: Iterable[FolderTransfer]) -> None:
    """Raise InvalidRequest if two files would be the same one, so that one of them would be lost."""
    taken: dict[str, tuple[str, str]] = {}
    for transfer in transfers:
        for entry in transfer.entries:
            target, source = transfer.find_paths(entry)
            other, kind = taken.setdefault(target, (source, entry.kind))
            if other != source and not kind == entry.kind == "dir":
                raise InvalidRequest(
                    f"{join_names([other, source])} would both be {sanitize(target)!r}. Nothing was "
                    f"{transfer.action}. Transfer them one after the other, into different folders"
                )
