"""Files of a pod: the methods of `Pod` that send and fetch them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags
from primepods_magic.pods.support.progress import OnProgress, show_transfer

from .reachable import Reachable

if TYPE_CHECKING:
    from primepods_magic.remote.files.results import TransferResult
    from primepods_magic.remote.files.streams import StreamWatch

    Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    Transfer: TypeAlias = Callable[[StreamWatch], TransferResult]

__all__ = ["FileMethods"]


@shorten_tracebacks
class FileMethods(Reachable):
    """Sends and fetches files and folders."""

    def put(
        self,
        paths: Paths,
        to: str = "",
        *,
        force: bool = False,
        all_files: bool = False,
        on_progress: OnProgress | None = None,
    ) -> TransferResult:
        """Send files and folders to it, and return what was done with each.

        What is there already is not sent again. A transfer that was interrupted goes on where it stopped.

        Parameters
        ----------
        paths : str, path, or sequence of them
            Files, folders, or patterns such as ``"*.csv"``. Of folders, what ``.gitignore`` and
            ``.podignore`` in them, or above them in a git repository, name is left out.
        to : str
            A folder there, relative to the home. One file may get a new path, unless it ends in ``/``.
        force : bool
            Overwrite files that are newer there.
        all_files : bool
            Send what is ignored too.
        on_progress : callable, optional
            Called with the bytes that have arrived, and those of all files; by default, a bar shows them.

        Raises
        ------
        TransferFailed
            Some files could not be written. Its ``failures`` are the reasons.
        WaitInterrupted
            Ctrl-C.

        Examples
        --------
        >>> pod.put(["train.py", "data"], "work").count_actions()            # doctest: +SKIP
        {'sent': 12}
        """
        return self._run_shown(self._start_put(paths, to, force, all_files), "Sending to", on_progress)

    async def put_async(
        self, paths: Paths, to: str = "", *, force: bool = False, all_files: bool = False
    ) -> TransferResult:
        """Send files as `put` does, without blocking the event loop. Cancelling it ends the transfer."""
        from primepods_magic.remote.files.transfers import run_in_thread

        return await run_in_thread(self._start_put(paths, to, force, all_files))

    def get(
        self,
        paths: str | Sequence[str],
        to: str | os.PathLike[str] = ".",
        *,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> TransferResult:
        """Fetch files and folders from it, and return what was done with each.

        What is here already is not fetched again. A transfer that was interrupted goes on where it stopped.

        Parameters
        ----------
        paths : str or sequence of str
            Files, folders, or patterns such as ``"runs/**/*.csv"``, relative to the home. What matches keeps
            its path below the folder in front of the pattern. A file with exactly this name comes first.
        to : str or path
            A local folder. One file may get a new path, unless it ends in ``/``.
        force : bool
            Overwrite files that are newer here.
        on_progress : callable, optional
            Called with the bytes that have arrived, and those of all files; by default, a bar shows them.

        Raises
        ------
        TransferFailed
            Some files could not be read or written. Its ``failures`` are the reasons.
        WaitInterrupted
            Ctrl-C.

        Examples
        --------
        >>> pod.get("work/model.pt").files                                   # doctest: +SKIP
        (FileResult(path='model.pt', action='fetched', size_bytes=41300000),)
        """
        return self._run_shown(self._start_get(paths, to, force), "Fetching from", on_progress)

    async def get_async(
        self, paths: str | Sequence[str], to: str | os.PathLike[str] = ".", *, force: bool = False
    ) -> TransferResult:
        """Fetch files as `get` does, without blocking the event loop. Cancelling it ends the transfer."""
        from primepods_magic.remote.files.transfers import run_in_thread

        return await run_in_thread(self._start_get(paths, to, force))

    def sync(
        self,
        folder: str | os.PathLike[str],
        to: str = "",
        *,
        delete: bool = False,
        dry_run: bool = False,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> TransferResult:
        """Send what has changed in a local folder to a folder of it, and return what was done.

        Parameters
        ----------
        folder : str or path
            What ``.gitignore`` and ``.podignore`` in it, or above it in a git repository, name is left out.
        to : str
            The folder there, relative to the home; by default, that of the same name.
        delete : bool
            Remove there what is not here, except what is ignored.
        dry_run : bool
            Only return what would be done.
        force : bool
            Overwrite files that are newer there.
        on_progress : callable, optional
            Called with the bytes that have arrived, and those of all files; by default, a bar shows them.

        Raises
        ------
        TransferFailed
            Some files could not be written or removed. Its ``failures`` are the reasons.
        WaitInterrupted
            Ctrl-C.

        Examples
        --------
        >>> pod.sync(".", "project").count_actions()                         # doctest: +SKIP
        {'unchanged': 41, 'sent': 1}
        """
        sync = self._start_sync(folder, to, delete, dry_run, force)
        return self._run_shown(sync, "Sending to", on_progress)

    async def sync_async(
        self,
        folder: str | os.PathLike[str],
        to: str = "",
        *,
        delete: bool = False,
        dry_run: bool = False,
        force: bool = False,
    ) -> TransferResult:
        """Send changes as `sync` does, without blocking the event loop. Cancelling it ends the transfer."""
        from primepods_magic.remote.files.transfers import run_in_thread

        return await run_in_thread(self._start_sync(folder, to, delete, dry_run, force))

    def _run_shown(self, transfer: Transfer, doing: str, on_progress: OnProgress | None) -> TransferResult:
        """Carry out a transfer; show how far it is if no one else is to know."""
        from primepods_magic.remote.files.streams import StreamWatch

        with show_transfer(f"{doing} {sanitize(self._details.name)}", on_progress) as report:
            return transfer(StreamWatch(on_progress=report))

    def _start_put(self, paths: Paths, to: str, force: bool, all_files: bool) -> Transfer:
        from primepods_magic.remote.files.transfers import list_paths, put_files, start_transfer

        check_flags(force=force, all_files=all_files)
        call = partial(put_files, paths=list_paths(paths), target=to, force=force, all_files=all_files)
        return start_transfer(self._connection, self._read_reachable(), call)

    def _start_get(self, paths: str | Sequence[str], to: str | os.PathLike[str], force: bool) -> Transfer:
        from primepods_magic.remote.files.transfers import get_files, list_paths, start_transfer

        check_flags(force=force)
        call = partial(get_files, paths=list_paths(paths), target=to, force=force)
        return start_transfer(self._connection, self._read_reachable(), call)

    def _start_sync(
        self,
        folder: str | os.PathLike[str],
        to: str,
        delete: bool,
        dry_run: bool,
        force: bool,
    ) -> Transfer:
        from primepods_magic.remote.files.syncing import sync_folder
        from primepods_magic.remote.files.transfers import start_transfer

        check_flags(delete=delete, dry_run=dry_run, force=force)
        call = partial(sync_folder, folder=folder, target=to, delete=delete, dry_run=dry_run, force=force)
        return start_transfer(self._connection, self._read_reachable(), call)
