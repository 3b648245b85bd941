"""Send files to a pod."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.agent.files.pack import iterate_blocks
from primepods_magic.remote.agent.files.part_file import MIN_KEPT_BYTES, name_part
from primepods_magic.remote.agent.files.root import Root
from primepods_magic.remote.link import PodLink

from .comparing import Comparison, compare_entries
from .local_tree import hash_local
from .questions import RemoteFolder, hash_remote, look_up_remote
from .results import FileResult, check_failures, format_bytes, warn_left_alone
from .streams import StreamWatch, send_stream

__all__ = ["Upload"]


@dataclass
class Upload:
    """Files of a local folder, compared with a folder of a pod.

    Parameters
    ----------
    link : PodLink
    folder : str
        The local one.
    root : str
        The one of the pod.
    entries : list of Entry
        What is to be there, by its names there.
    force : bool
        Overwrite what is newer there.
    """

    link: PodLink
    folder: str
    root: str
    entries: list[Entry]
    force: bool
    watch: StreamWatch
    local_names: dict[str, str] = field(default_factory=dict)
    """The name of a file here, by its name there, if that is another one."""
    there: RemoteFolder = field(init=False)
    comparison: Comparison = field(init=False)

    def compare(self, there: RemoteFolder | None = None) -> None:
        """Ask the pod what is there."""
        names = [entry.path for entry in self.entries]
        self.there = there or look_up_remote(self.link, self.root, names, self.watch)
        if self.there.kind == "file":
            raise InvalidRequest(
                f"{sanitize(self.root)!r} on '{self.link.name}' is a file, not a folder. Nothing was sent"
            )
        self.comparison = compare_entries(
            self.entries, self.there.entries, self._hash_pairs, force=self.force
        )

    def run(self) -> list[FileResult]:
        """Send what has changed; return what was done with each file."""
        facts = self._find_starts(self.comparison.describe(self.there.entries, force=self.force))
        results = list(self.comparison.results)
        warn_left_alone(results)
        if facts:
            self._check_space(facts)
            failures = self._send(facts)
            results += [
                FileResult(entry.path, "sent", entry.size)
                for entry in self.comparison.changed
                if entry.path not in failures
            ]
            check_failures(failures, len(facts), "sent to", self.link.name)
        return results

    def _find_local(self, path: str) -> str:
        return self.local_names.get(path, path)

    def _hash_pairs(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        request = hash_remote(self.link, self.root, [(entry.path, entry.size) for entry, _ in pairs])
        here = hash_local(self.folder, [(self._find_local(entry.path), entry.size) for entry, _ in pairs])
        return [one == other != "" for one, other in zip(here, request(self.watch), strict=True)]

    def _find_starts(self, facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Note of large files how much of them is there from an earlier attempt."""
        large = {_part_of(each["path"]): each for each in facts if each["size"] >= MIN_KEPT_BYTES}
        if not large or self.there.kind == "none":
            return facts
        parts = look_up_remote(self.link, self.root, list(large), self.watch).entries
        begun = [
            (path, part.size)
            for path, part in parts.items()
            if part.kind == "file" and path in large and 0 < part.size <= large[path]["size"]
        ]
        if not begun:
            return facts
        request = hash_remote(self.link, self.root, begun)
        here = hash_local(
            self.folder, [(self._find_local(large[path]["path"]), size) for path, size in begun]
        )
        for (path, size), one, other in zip(begun, here, request(self.watch), strict=True):
            if one == other != "":
                large[path]["start"] = size
        return facts

    def _check_space(self, facts: Iterable[dict[str, Any]]) -> None:
        needed = -sum(self.there.entries[e.path].size for e in self.entries if e.path in self.there.entries)
        needed += sum(each["size"] - each["start"] for each in facts)
        if needed > self.there.free_bytes:
            raise PodsError(
                f"The disk of '{self.link.name}' has {format_bytes(self.there.free_bytes)} left, and "
                f"{format_bytes(needed)} more are needed in {sanitize(self.root)!r}. Nothing was sent. "
                f"'%pods exec {self.link.name} -- df -h' shows its disks. The pod is still billed"
            )

    def _send(self, facts: list[dict[str, Any]]) -> dict[str, str]:
        read = 0

        def count_read(size: int) -> None:
            nonlocal read
            read += size

        self.watch.total_bytes += sum(each["size"] - each["start"] for each in facts)
        before = self.watch.done_bytes
        with Root(self.folder) as root:
            blocks = iterate_blocks(root, facts, count_read, self.local_names)
            return send_stream(self.link, self.root, blocks, self.watch, lambda: before + read)[1]


def _part_of(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, name_part(name))
