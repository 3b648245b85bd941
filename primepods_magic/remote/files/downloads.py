"""Fetch files from a pod, which is a stranger's machine: only what it listed, and only into one folder."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.remote.agent.files.listing import Entry, find_free_bytes, look_up
from primepods_magic.remote.agent.files.part_file import MIN_KEPT_BYTES, name_part
from primepods_magic.remote.agent.files.root import FileProblem, Root, split_path
from primepods_magic.remote.agent.files.stream import BadStream
from primepods_magic.remote.agent.files.unpack import DiskFull, Unpacker

from .comparing import compare_entries
from .folder_transfer import FolderTransfer
from .git_folders import explain_name, find_git_folder, find_unwanted, is_git_folder
from .ignoring import NEVER_SENT, list_parents
from .results import FileResult, format_bytes
from .streams import fetch_stream

__all__ = ["Download", "check_entries", "is_safe_link"]

# A pod may not make files that other people of this computer can change.
_MODE_MASK = 0o755


@dataclass
class Download(FolderTransfer):
    """Files of a folder of a pod, compared with a local folder, which is made if it is not there."""

    here: dict[str, Entry] = field(init=False)

    action = "fetched"
    direction = "fetched from"

    @property
    def found(self) -> Mapping[str, Entry]:
        """The files that are here already."""
        return self.here

    def check_target(self) -> None:
        """Raise InvalidRequest if git or Python here would run what is written."""
        folder = find_git_folder(self.folder)
        if folder:
            raise InvalidRequest(
                f"Nothing from a pod is written into {sanitize(folder)!r}, because git or Python would run "
                "what it says. Nothing was fetched. Name another folder"
            )
        for name in self.local_names.values():
            why = explain_name(name, folds_case=self._folds_case)
            if why:
                raise InvalidRequest(
                    f"A file from a pod cannot be called {sanitize(name)!r} here: {why}. Nothing was "
                    "fetched. Name another file"
                )

    def compare(self) -> None:
        """Look what is here."""
        home = find_home()
        is_home = home is not None and os.path.realpath(self.folder) == os.path.realpath(home)
        entries, self.refused = check_entries(
            self.entries,
            folds_case=self._folds_case,
            # A file that was named itself has local names.
            is_home=is_home and not self.local_names,
        )
        self.entries = [
            entry._replace(mode=entry.mode & _MODE_MASK) for entry in self._spare_repositories(entries)
        ]
        with_names = {self._find_local(entry.path): entry for entry in self.entries}
        self.here = {}
        # In this order: another transfer may be making the folder.
        if os.path.lexists(self.folder):
            if not os.path.isdir(self.folder):
                raise InvalidRequest(
                    f"{sanitize(self.folder)!r} is a file, not a folder. Nothing was fetched"
                )
            with Root(self.folder) as root:
                for found in look_up(root, with_names):
                    self.here[with_names[found.path].path] = found
        self.comparison = compare_entries(self.entries, self.here, self._hash_pairs, force=self.force)

    def find_paths(self, entry: Entry) -> tuple[str, str]:
        """Return its path here and there."""
        path = os.path.join(self.folder, self._find_local(entry.path))
        return fold_path(path) if self._folds_case else path, posixpath.join(self.root, entry.path)

    def _spare_repositories(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """Yield what is not in a repository that is below the folder already; refuse the rest."""
        folders = {above for entry in entries for above in list_parents(entry.path)}
        repositories = {each for each in folders if is_git_folder(os.path.join(self.folder, each))}
        for entry in entries:
            if repositories.isdisjoint(list_parents(entry.path)):
                yield entry
            else:
                self.refused.append(FileResult(entry.path, "skipped", 0, "its folder here is a repository"))

    @cached_property
    def _folds_case(self) -> bool:
        return folds_case(self.folder)

    def _name_result(self, result: FileResult) -> FileResult:
        return replace(result, path=self._find_local(result.path)) if self.local_names else result

    def _note_starts(self, facts: list[dict[str, Any]]) -> None:
        begun: list[tuple[dict[str, Any], str, int]] = []
        for each in facts:
            if each["size"] >= MIN_KEPT_BYTES:
                folder, name = posixpath.split(self._find_local(each["path"]))
                part = posixpath.join(folder, name_part(name))
                try:
                    size = os.lstat(os.path.join(self.folder, part)).st_size
                except OSError:
                    continue
                if MIN_KEPT_BYTES <= size <= each["size"]:
                    begun.append((each, part, size))
        if not begun:
            return
        there = [(each["path"], size) for each, _, size in begun]
        here = [(part, size) for _, part, size in begun]
        for (each, _, size), is_same in zip(begun, self._compare_contents(there, here), strict=True):
            if is_same:
                each["start"] = size

    def _check_space(self, facts: Sequence[dict[str, Any]]) -> None:
        needed = sum(each["size"] - each["start"] for each in facts)
        needed -= sum(found.size for found in self.here.values())
        free = find_free_bytes(self.folder)
        if needed > free:
            raise PodsError(
                f"The disk of {sanitize(self.folder)!r} has {format_bytes(free)} left, and "
                f"{format_bytes(needed)} more are needed. Nothing was fetched. The pod is still billed"
            )

    def _transfer_files(self, facts: list[dict[str, Any]]) -> dict[str, str]:
        wanted = {each["path"]: each for each in facts}

        def accept(got: dict[str, Any]) -> None:
            asked = wanted.pop(got["path"], None)
            if asked is None or any(got.get(name) != asked[name] for name in asked):
                raise BadStream("a file that was not asked for, or is another one")
            got.update(asked, path=self._find_local(asked["path"]))

        def count_bytes(size: int) -> None:
            self.watch.done_bytes += size

        unpacker = Unpacker(
            Root(self.folder, make=True),
            accept=accept,
            mode_mask=_MODE_MASK,
            there="here",
            on_content=count_bytes,
        )
        try:
            fetch_stream(self.link, self.root, facts, unpacker, self.watch)
        except DiskFull as error:
            raise PodsError(
                f"The disk of {sanitize(self.folder)!r} is full; {sanitize(str(error))} could not be "
                "written. Free space, then run the same again. The pod is still billed"
            ) from None
        finally:
            unpacker.close()
        remote_names = {here: there for there, here in self.local_names.items()}
        failures = {remote_names.get(path, path): sanitize(why) for path, why in unpacker.failures.items()}
        return {**dict.fromkeys(wanted, "it was not sent"), **failures}


def check_entries(
    entries: Iterable[Entry], *, folds_case: bool, is_home: bool = False, is_windows: bool = os.name == "nt"
) -> tuple[list[Entry], list[FileResult]]:
    """Return what may be written here of what a pod lists, and of everything else why not.

    Paths stay below their folder, links too, and no two are the same file on this computer. What is never
    sent is not fetched either: git and Python would run what a pod has put into it, as shells would run the
    hidden files of a home.
    """
    accepted: list[Entry] = []
    refused: list[FileResult] = []
    taken: set[str] = set()
    for entry in entries:
        key = fold_path(entry.path) if folds_case else entry.path
        detail = ""
        try:
            names = split_path(entry.path, is_windows=is_windows)
            unwanted = [find_unwanted(name) for name in names]
            if any(unwanted[:-1]) or unwanted[-1] in NEVER_SENT[1:]:
                continue
            if unwanted[-1] or entry.kind != "dir":
                detail = explain_name(names[-1], folds_case=folds_case)
        except FileProblem as problem:
            detail = str(problem)
        if is_home and entry.path.startswith("."):
            detail = detail or "a hidden file of the home"
        if key in taken:
            detail = detail or "another one has the same name here"
        if entry.kind == "link" and not is_safe_link(entry.path, entry.link):
            detail = detail or "a link that leads out of the folder"
        if detail:
            refused.append(FileResult(entry.path, "skipped", 0, detail))
        else:
            taken.add(key)
            accepted.append(entry)
    return accepted, refused


def is_safe_link(path: str, link: str) -> bool:
    """Return whether a link stays within its folder, whatever the folders on its way are.

    >>> is_safe_link("a/b", "../c"), is_safe_link("a/b", "../../c"), is_safe_link("a", "d/../../c")
    (True, False, False)
    """
    names = link.split("/")
    above = 0
    while above < len(names) and names[above] in ("..", "."):
        above += 1
    ups = names[:above].count("..")
    is_relative = bool(link) and not link.startswith("/") and "\\" not in link and "\0" not in link
    return is_relative and ".." not in names[above:] and ups <= path.count("/")


def fold_path(path: str) -> str:
    """Return what paths have in common that are the same file where case does not count."""
    return unicodedata.normalize("NFC", path).casefold()


def folds_case(folder: str) -> bool:
    """Return whether names that differ in case only are the same file in a folder."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    other = folder.swapcase()
    try:
        return other != folder and os.path.samefile(folder, other)
    except OSError:
        return False
