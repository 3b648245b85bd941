"""Put files on a pod, and get them from it."""

from __future__ import annotations

import asyncio
import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from primepods_magic.api.errors import InvalidRequest, PodsError, TransferFailed, WaitInterrupted
from primepods_magic.api.local.folders import complete_path
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.agent.files.patterns import split_pattern
from primepods_magic.remote.agent.files.unpack import describe_error
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import open_link

from .downloads import Download
from .folder_transfer import refuse_collisions
from .local_tree import find_sources, is_folder, list_source
from .questions import RemoteFolder, list_remote, look_up_remote, match_remote
from .results import FileResult, TransferResult, format_bytes, join_names
from .streams import Stopped, StreamWatch
from .uploads import Upload

__all__ = [
    "check_remote_path",
    "get_files",
    "guard_transfer",
    "list_paths",
    "make_result",
    "put_files",
    "run_in_thread",
    "start_transfer",
]

T = TypeVar("T")


def put_files(
    link: PodLink,
    paths: Sequence[str | os.PathLike[str]],
    target: str = "",
    *,
    force: bool = False,
    all_files: bool = False,
    watch: StreamWatch | None = None,
) -> TransferResult:
    """Send files and folders into a folder of a pod, or one file to a path there.

    Parameters
    ----------
    link : PodLink
    paths : sequence of str or path
        Files, folders, or patterns such as ``*.csv``.
    target : str
        A folder there, made if it is not there; relative to the home. With one file it may be the new path of
        the file, unless it ends in ``/`` or is a folder.
    force : bool
        Overwrite what is newer there.
    all_files : bool
        Also send what ``.gitignore`` and ``.podignore`` name.
    """
    watch = watch or StreamWatch()
    began = time.monotonic()
    check_remote_path(target)
    sources = find_sources(paths)
    with guard_transfer(link, watch, "sent"):
        new_name = ""
        if (
            len(sources) == 1
            and not is_folder(sources[0])
            and posixpath.basename(target) not in ("", "~", ".", "..")
        ):
            there = look_up_remote(link, target, [], watch)
            if there.kind != "dir":
                target, new_name = posixpath.split(target)
                # The empty folder is our own for values.
                target = target or ("/" if there.path.count("/") == 1 else "~")
        uploads: dict[tuple[str, int], Upload] = {}
        for path in sources:
            # A link that was named is followed.
            folder, local = os.path.split(os.path.realpath(path) if os.path.islink(path) else path)
            listed = list_source(
                os.path.join(folder, local), new_name or os.path.basename(path), all_files=all_files
            )
            names = {entry.path: local_path for local_path, entry in listed.items()}
            number = 0
            # A link may have the name of another file in the folder that it leads to.
            while (same := uploads.get((folder, number))) and not same.local_names.keys().isdisjoint(names):
                number += 1
            new = Upload(link, folder, target or "~", [], force, watch)
            upload = uploads.setdefault((folder, number), new)
            upload.entries += listed.values()
            upload.local_names |= names
        refuse_collisions(uploads.values())
        results = _run_transfers(uploads.values())
    return make_result(link, watch, began, results)


def list_paths(paths: object) -> list[Any]:
    """Return a path, or several, as a list."""
    if isinstance(paths, Iterable) and not isinstance(paths, (str, bytes, os.PathLike)):
        return list(paths)
    return [paths]


def check_remote_path(path: object) -> None:
    """Raise InvalidRequest if this is not a path on a pod."""
    if not isinstance(path, str):
        raise InvalidRequest(
            f"A path on a pod must be text. It is of type {type(path).__name__}. Nothing was transferred"
        )


def _run_transfers(transfers: Iterable[Upload | Download]) -> list[FileResult]:
    results: list[FileResult] = []
    for transfer in transfers:
        transfer.compare()
        results += transfer.run()
    return results


def get_files(
    link: PodLink,
    paths: Sequence[str],
    target: str | os.PathLike[str] = ".",
    *,
    force: bool = False,
    watch: StreamWatch | None = None,
) -> TransferResult:
    """Fetch files and folders of a pod into a local folder, or one file to a path.

    Parameters
    ----------
    link : PodLink
    paths : sequence of str
        Files, folders or patterns there, such as ``runs/**/*.csv``; relative to the home. What matches keeps
        its path below the folder in front of the pattern. A file that has exactly this name comes first.
    target : str or path
        A local folder, made if it is not there. With one file it may be the new path of the file, unless it
        ends in ``/`` or is a folder.
    force : bool
        Overwrite what is newer here.
    """
    watch = watch or StreamWatch()
    began = time.monotonic()
    if not paths:
        raise InvalidRequest("No file was named. Nothing was fetched")
    for path in paths:
        check_remote_path(path)
    folder = complete_path(target)
    is_new_name = len(paths) == 1 and not os.fspath(target).endswith("/") and not is_folder(folder)
    with guard_transfer(link, watch, "fetched"):
        downloads = []
        for path in dict.fromkeys(paths):
            there, is_pattern = _find_remote(link, path, watch)
            download = Download(link, folder, there.path, list(there.entries.values()), force, watch)
            # What it is called here is what it was called by the person, not by the pod.
            name = posixpath.basename(path.rstrip("/"))
            if there.kind == "file":
                if is_new_name:
                    download.folder, name = os.path.split(folder)
                download.local_names = dict.fromkeys(there.entries, name)
            elif not is_pattern and name not in ("", "~", ".", ".."):
                download.folder = os.path.join(folder, name)
            download.check_target()
            downloads.append(download)
        refuse_collisions(downloads)
        results = _run_transfers(downloads)
    return make_result(link, watch, began, results)


def _find_remote(link: PodLink, path: str, watch: StreamWatch) -> tuple[RemoteFolder, bool]:
    """Return what a path or a pattern names, and whether it is a pattern; InvalidRequest if it is nothing."""
    if not path:
        raise InvalidRequest("Name a file or a folder, such as NAME:results. '~' is the whole home")
    there = list_remote(link, path, watch)
    if there.kind != "none":
        return there, False
    base, pattern = split_pattern(path)
    if not pattern:
        raise InvalidRequest(f"There is no file {sanitize(path)!r} on '{link.name}'. Nothing was fetched")
    there = match_remote(link, base, pattern, watch)
    if there.kind == "none":
        raise InvalidRequest(f"There is no folder {sanitize(base)!r} on '{link.name}'. Nothing was fetched")
    if not there.entries:
        names = f"has {join_names(there.names)}" if there.names else "has no files"
        raise InvalidRequest(
            f"Nothing on '{link.name}' matches {sanitize(path)!r}. {sanitize(base)!r} {names}. Nothing was "
            "fetched"
        )
    return there, True


def start_transfer(
    connection: Connection, pod: PodDetails, call: Callable[..., TransferResult]
) -> Callable[[StreamWatch], TransferResult]:
    """Return a function that carries out a transfer with a pod.

    Raises InvalidRequest if the pod does not run, SshFailed if there is no ssh client.
    """
    link = open_link(connection, pod)
    return lambda watch: call(link, watch=watch)


async def run_in_thread(transfer: Callable[[StreamWatch], T]) -> T:
    """Carry out a transfer in a thread; cancelling the task ends it."""
    watch = StreamWatch()
    future = asyncio.get_running_loop().run_in_executor(None, transfer, watch)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        watch.stop.set()
        # Else its own end would be reported as an exception that no one has seen.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


@contextmanager
def guard_transfer(link: PodLink, watch: StreamWatch, verb: str) -> Iterator[None]:
    """Say what has arrived if a transfer is interrupted, or fails."""
    try:
        yield
    except (KeyboardInterrupt, Stopped):
        raise WaitInterrupted(
            f"Interrupted after {_describe_amount(watch)} had been {verb}. Files that had arrived are "
            "complete, and the beginning of a large one is kept. Run the same again to go on from there. "
            f"'{link.name}' keeps running and is billed"
        ) from None
    except OSError as error:
        raise PodsError(
            f"Cannot use {sanitize(str(error.filename or 'a file'))!r} here ({describe_error(error)}), after "
            f"{_describe_amount(watch)} had been {verb}. '{link.name}' is still billed"
        ) from None
    except PodsError as error:
        if watch.done_bytes and not isinstance(error, TransferFailed):
            error.prepend(f"Stopped after {_describe_amount(watch)} had been {verb}")
        raise


def _describe_amount(watch: StreamWatch) -> str:
    return f"{format_bytes(watch.done_bytes)} of {format_bytes(watch.total_bytes)}"


def make_result(link: PodLink, watch: StreamWatch, began: float, results: list[FileResult]) -> TransferResult:
    """Return the result of a transfer."""
    return TransferResult(link.name, watch.done_bytes, time.monotonic() - began, tuple(results))
