"""Make a folder of a pod the same as a local one."""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Sequence

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.link import PodLink

from .ignoring import IgnoreRules, list_parents
from .local_tree import find_sources, is_folder, list_folder
from .questions import list_remote, look_up_remote, remove_remote
from .results import FileResult, TransferResult, check_failures, join_names, warn_left_alone
from .streams import StreamWatch
from .transfers import check_remote_path, guard_transfer, make_result
from .uploads import Upload

__all__ = ["sync_folder", "watch_folder"]

_POLL_S = 1.0
_MAX_PAUSE_S = 60.0


def sync_folder(
    link: PodLink,
    folder: str | os.PathLike[str],
    target: str = "",
    *,
    delete: bool = False,
    dry_run: bool = False,
    force: bool = False,
    confirm: Callable[[Sequence[str]], bool] | None = None,
    check: Callable[[Sequence[Entry]], None] | None = None,
    watch: StreamWatch | None = None,
) -> TransferResult:
    """Send what has changed in a local folder to one of a pod.

    Parameters
    ----------
    link : PodLink
    folder : str or path
    target : str
        The folder there; by default, that of the same name in the home, unless that is hidden.
    delete : bool
        Remove there what is not here, except what is ignored.
    dry_run : bool
        Only return what would be done.
    force : bool
        Overwrite what is newer there.
    confirm : callable, optional
        Is given the paths that would be removed; if it returns False, nothing is done.
    check : callable, optional
        Is given what will be sent; if it raises an error, nothing is done.

    Raises InvalidRequest for an empty folder if something would be removed.
    """
    watch = watch or StreamWatch()
    began = time.monotonic()
    check_remote_path(target)
    source = _find_folder(folder)
    name = os.path.basename(source)
    if not target and name.startswith("."):
        raise InvalidRequest(
            f"Name the folder on '{link.name}' for {sanitize(name)!r}, because hidden folders in the home "
            "have a meaning of their own. Nothing was sent"
        )
    target = target or posixpath.join("~", name)
    with guard_transfer(link, watch, "sent"):
        entries, rules = list_folder(source)
        upload = Upload(link, source, target, entries, force, watch)
        if delete and look_up_remote(link, target, [], watch).has_home:
            raise InvalidRequest(
                f"{sanitize(target)!r} on '{link.name}' is the home, or contains it. '--delete' would also "
                "remove the settings and keys in it. Nothing was done. Name a folder in the home"
            )
        upload.compare(list_remote(link, target, watch) if delete else None)
        surplus: list[str] = []
        if delete and rules is not None:
            surplus = _find_surplus(upload, rules)
        if dry_run:
            results = upload.comparison.results
            warn_left_alone(results)
            results += [FileResult(each.path, "would send", each.size) for each in upload.comparison.changed]
            results += [FileResult(path, "would remove") for path in surplus]
            return make_result(link, watch, began, results)
        if surplus and not entries:
            # Such as a disk that is not mounted at the moment.
            raise InvalidRequest(
                f"{sanitize(source)!r} has no files that are sent, so '--delete' would remove all "
                f"{len(surplus)} in {sanitize(target)!r} on '{link.name}'. Nothing was done. "
                f"'%pods exec {link.name} -- rm' removes files"
            )
        if surplus and confirm is not None and not confirm(surplus):
            raise InvalidRequest(
                f"Removing {len(surplus)} files on '{link.name}' was not confirmed. Nothing was done. Pass "
                "-y to confirm in advance, or --dry-run to see them"
            )
        if check is not None:
            check(upload.comparison.changed)
        results = upload.run()
        results += _remove_surplus(upload, surplus)
    return make_result(link, watch, began, results)


def _find_surplus(upload: Upload, rules: IgnoreRules) -> list[str]:
    """Return what is there and certainly not here; what is skipped may be here."""
    kept = {entry.path for entry in upload.entries}
    skipped = {result.path for result in upload.comparison.results if result.action == "skipped"}
    return [
        entry.path
        for entry in upload.there.entries.values()
        if entry.path not in kept
        and not rules.is_protected(entry.path, entry.kind == "dir")
        and skipped.isdisjoint(list_parents(entry.path))
    ]


def _remove_surplus(upload: Upload, surplus: Sequence[str]) -> list[FileResult]:
    """Remove files before the folders that they are in."""
    if not surplus:
        return []
    entries = [upload.there.entries[path] for path in sorted(surplus, reverse=True)]
    failures = remove_remote(upload.link, upload.root, entries, upload.watch)
    # A folder stays if something that is ignored is in it.
    folders = {path for path in surplus if upload.there.entries[path].kind == "dir"}
    files = {
        path: sanitize(shorten(str(why), 300))
        for path, why in failures.items()
        if path in surplus and path not in folders
    }
    check_failures(files, len(surplus), "removed on", upload.link.name)
    return [FileResult(path, "removed") for path in surplus if path not in failures]


def watch_folder(
    folder: str | os.PathLike[str], sync: Callable[[], bool], *, should_stop: Callable[[float], bool]
) -> None:
    """Call a function whenever something in a folder has changed, until `should_stop` of 1 s is True.

    If it returns False, it is called again, after pauses that grow to a minute.
    """
    source = _find_folder(folder)
    seen, pause_s, left_s = None, 0.0, 0.0
    while True:
        found = list_folder(source)[0]
        left_s -= _POLL_S
        if found != seen or (pause_s and left_s <= 0):
            pause_s = 0.0 if sync() else min(_MAX_PAUSE_S, 2 * pause_s or _POLL_S)
            seen, left_s = found, pause_s
        if should_stop(_POLL_S):
            return


def _find_folder(folder: str | os.PathLike[str]) -> str:
    """Return the full path of one folder; InvalidRequest if that is not what is there."""
    sources = find_sources([folder])
    if len(sources) > 1:
        raise InvalidRequest(
            f"{sanitize(os.fspath(folder))!r} is several: {join_names(map(os.path.basename, sources))}. Name "
            "one. Nothing was sent"
        )
    if not is_folder(sources[0]):
        raise InvalidRequest(
            f"{sanitize(sources[0])!r} is not a folder. Nothing was sent. '%pods put' sends files"
        )
    return sources[0]
