"""Fetch files and folders from a pod, and return what was done with each, as a DataFrame.

  %pods get train:results
  %pods get train:work/model.pt models/
  %pods get train:work/log.txt train:work/metrics.csv today
  %pods get train:model.pt first.pt
  %pods get train:runs/*.csv
  %pods get 'train:runs/**/best [0-9].pt' models

Paths on the pod are relative to its home. The last word, without a colon, is a folder here, made if needed;
one file may get a new path. By default, it is the working folder. What is here already, by size and time or
by its hash, is not fetched again. A file that is newer here is not overwritten without --force. Links that
lead out of a folder are skipped, as are .git and HEAD, by which git would run settings from the pod, and
nothing is written outside the folder, whatever the pod sends.

In a pattern, * and ? stand for characters of a name, [ab] for one of these, and ** for any number of folders.
The pod compares names with it; no shell sees it. Hidden names match only what begins with a dot. What matches
keeps its path below the folder in front of the pattern: runs/**/log.csv becomes a/log.csv and b/log.csv. A
file whose name is exactly what you wrote comes first.

Ctrl-C ends it. The same line goes on where it stopped, also after a restart of the kernel; if only the
connection is lost, it goes on by itself.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="POD:PATH",
        help="files, folders and patterns on the pod; then, if wanted, a folder or new path on this computer",
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that are newer here")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return what was done."""
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.notebook.display.transfers import show_transfer_result
    from primepods_magic.notebook.input.pod_paths import is_pod_path
    from primepods_magic.notebook.progress.download_bar import show_transfer
    from primepods_magic.remote.files.streams import StreamWatch
    from primepods_magic.remote.files.transfers import get_files
    from primepods_magic.remote.links import open_link

    connection = magics.connection
    words, target = list(args.paths), "."
    if len(words) > 1 and not is_pod_path(words[-1]):
        target = words.pop()
    pod, paths = _find_paths(connection, words)
    with show_transfer(magics.shell, f"Fetching from {sanitize(pod.name)}") as progress:
        result = get_files(
            open_link(connection, pod),
            paths,
            target,
            force=args.force,
            watch=StreamWatch(on_progress=progress),
        )
    return show_transfer_result(connection, result)


def _find_paths(connection: Connection, words: list[str]) -> tuple[PodDetails, list[str]]:
    """Return the pod that all words name, and the paths on it."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import name_as_word, sanitize
    from primepods_magic.notebook.input.pod_paths import is_pod_path, split_pod_path

    for word in words:
        if not is_pod_path(word):
            raise InvalidRequest(
                f"'{sanitize(word)}' names no path on a pod. Write it after the pod and a colon, for example "
                f"'%pods get {name_as_word(word)}:results'. Nothing was fetched"
            )
    found = [split_pod_path(connection, word) for word in words]
    pod = found[0][0]
    if any(each.id != pod.id for each, _ in found):
        raise InvalidRequest("These paths are on several pods. Fetch from one at a time. Nothing was fetched")
    return pod, [path for _, path in found]
