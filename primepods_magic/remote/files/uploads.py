"""Send files to a pod."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.agent.files.pack import iterate_blocks
from primepods_magic.remote.agent.files.part_file import MIN_KEPT_BYTES, name_part
from primepods_magic.remote.agent.files.root import Root

from .comparing import compare_entries
from .folder_transfer import FolderTransfer
from .questions import RemoteFolder, look_up_remote
from .results import format_bytes
from .streams import send_stream

__all__ = ["Upload"]


@dataclass
class Upload(FolderTransfer):
    """Files of a local folder, compared with a folder of a pod that is to have them."""

    there: RemoteFolder = field(init=False)

    action = "sent"
    direction = "sent to"

    @property
    def found(self) -> Mapping[str, Entry]:
        """The files that the pod has already."""
        return self.there.entries

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

    def find_paths(self, entry: Entry) -> tuple[str, str]:
        """Return its path there and here."""
        return posixpath.join(self.root, entry.path), posixpath.join(
            self.folder, self._find_local(entry.path)
        )

    def _note_starts(self, facts: list[dict[str, Any]]) -> None:
        large = {_part_of(each["path"]): each for each in facts if each["size"] >= MIN_KEPT_BYTES}
        if not large or self.there.kind == "none":
            return
        parts = look_up_remote(self.link, self.root, list(large), self.watch).entries
        begun = [
            (path, part.size)
            for path, part in parts.items()
            if part.kind == "file" and path in large and MIN_KEPT_BYTES <= part.size <= large[path]["size"]
        ]
        if not begun:
            return
        here = [(self._find_local(large[path]["path"]), size) for path, size in begun]
        for (path, size), is_same in zip(begun, self._compare_contents(begun, here), strict=True):
            if is_same:
                large[path]["start"] = size

    def _check_space(self, facts: Sequence[dict[str, Any]]) -> None:
        needed = -sum(self.there.entries[e.path].size for e in self.entries if e.path in self.there.entries)
        needed += sum(each["size"] - each["start"] for each in facts)
        if needed > self.there.free_bytes:
            raise PodsError(
                f"The disk of '{self.link.name}' has {format_bytes(self.there.free_bytes)} left, and "
                f"{format_bytes(needed)} more are needed in {sanitize(self.root)!r}. Nothing was sent. "
                f"'%pods exec {self.link.name} -- df -h' shows its disks. The pod is still billed"
            )

    def _transfer_files(self, facts: list[dict[str, Any]]) -> dict[str, str]:
        read = 0

        def count_read(size: int) -> None:
            nonlocal read
            read += size

        before = self.watch.done_bytes
        with Root(self.folder) as root:
            blocks = iterate_blocks(root, facts, count_read, self.local_names)
            return send_stream(self.link, self.root, blocks, self.watch, lambda: before + read)[1]


def _part_of(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, name_part(name))
