"""Send files and folders to a pod, and return what was done with each, as a DataFrame.

  %pods put data.csv train
  %pods put train.py data train:work
  %pods put *.csv train:data/
  %pods put model.pt train:models/first.pt

The path after the colon is a folder there, relative to the home and made if needed; one file may get a new
path. Links stay links, and permissions are kept. Of folders, what .gitignore and .podignore name is left out,
also by the rules above them in a git repository; --all sends it too. What is there already, by size and time
or by its hash, is not sent again. A file that is newer there is not overwritten without --force.

Ctrl-C ends it. The same line goes on where it stopped, also after a restart of the kernel; if only the
connection is lost, it goes on by itself.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("paths", nargs="+", metavar="LOCAL", help="file, folder or pattern on this computer")
    parser.add_argument("pod", metavar="POD[:PATH]", help="the pod, and a folder or new path on it")
    parser.add_argument("--force", action="store_true", help="overwrite files that are newer on the pod")
    parser.add_argument("--all", action="store_true", help="also send what .gitignore and .podignore name")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return what was done."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.notebook.display.transfers import show_transfer_result
    from primepods_magic.notebook.input.pod_paths import split_pod_path
    from primepods_magic.notebook.progress.download_bar import show_transfer
    from primepods_magic.remote.files.streams import StreamWatch
    from primepods_magic.remote.files.transfers import put_files
    from primepods_magic.remote.links import open_link

    connection = magics.connection
    pod, target = split_pod_path(connection, args.pod)
    with show_transfer(magics.shell, f"Sending to {sanitize(pod.name)}") as progress:
        result = put_files(
            open_link(connection, pod),
            args.paths,
            target,
            force=args.force,
            all_files=args.all,
            watch=StreamWatch(on_progress=progress),
        )
    return show_transfer_result(connection, result)
