"""Make a folder on a pod match a local one: send what has changed, and return it as a DataFrame.

  %pods sync . train:project
  %pods sync src train --dry-run
  %pods sync . train:project --delete
  %pods sync src train:src --watch

Without a path, the folder goes to one of the same name in the home of the pod. What .gitignore and .podignore
name, also above it in a git repository, is neither sent nor removed. With --delete, what is not here is
removed there, after asking. A file that is newer there is not overwritten without --force. --watch sends
changes as they are saved, until Ctrl-C.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_yes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.remote.files.results import TransferResult


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", metavar="FOLDER", help="folder on this computer")
    parser.add_argument("pod", metavar="POD[:PATH]", help="the pod, and the folder on it")
    parser.add_argument("--watch", action="store_true", help="keep sending changes until Ctrl-C")
    parser.add_argument("--delete", action="store_true", help="remove on the pod what is not here")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--force", action="store_true", help="overwrite files that are newer on the pod")
    add_yes(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return what was done; with ``--watch``, what was done last."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import join_first, sanitize
    from primepods_magic.notebook.display.transfers import show_transfer_result
    from primepods_magic.notebook.input.pod_paths import split_pod_path
    from primepods_magic.notebook.progress.download_bar import show_transfer
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.remote.files.streams import StreamWatch
    from primepods_magic.remote.files.syncing import sync_folder
    from primepods_magic.remote.links import open_link

    if args.watch and args.dry_run:
        raise InvalidRequest("--watch and --dry-run exclude each other. Nothing was done")
    connection = magics.connection
    pod, target = split_pod_path(connection, args.pod)
    link = open_link(connection, pod)

    def confirm_removal(paths: Sequence[str]) -> bool:
        names = join_first([sanitize(path) for path in paths], 5)
        return args.yes or confirm(
            magics.shell, f"Remove {len(paths)} files on {sanitize(pod.name)}: {names}?"
        )

    def sync_once() -> TransferResult:
        with show_transfer(magics.shell, f"Sending to {sanitize(pod.name)}") as progress:
            return sync_folder(
                link,
                args.folder,
                target,
                delete=args.delete,
                dry_run=args.dry_run,
                force=args.force,
                confirm=confirm_removal,
                watch=StreamWatch(on_progress=progress),
            )

    result = _watch_folder(args.folder, sync_once) if args.watch else sync_once()
    return show_transfer_result(connection, result)


def _watch_folder(folder: str, sync_once: Callable[[], TransferResult]) -> TransferResult:
    """Sync whenever something changes, and print a line each time; return the last result on Ctrl-C."""
    import time
    from datetime import datetime

    from primepods_magic.api.errors import TransferFailed
    from primepods_magic.api.text.instants import format_clock
    from primepods_magic.notebook.display.transfers import describe_transfer
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.remote.files.syncing import watch_folder

    last: TransferResult | None = None

    def sync_noted() -> bool:
        nonlocal last
        clock = format_clock(datetime.now().astimezone(), seconds=True)
        try:
            last = sync_once()
            say(f"{clock}  {', '.join(describe_transfer(last))}")
        except TransferFailed as error:
            # Such as a file that was removed while it was read.
            say(f"{clock}  {error}")
            return False
        return True

    def pause(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    try:
        watch_folder(folder, sync_noted, should_stop=pause)
    except KeyboardInterrupt:
        if last is None:
            raise
    assert last is not None
    return last
