"""The notebook's folder on the pod: ``%%pod --sync`` sends what has changed before the cell runs."""

from __future__ import annotations

import os
import posixpath
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.notebook.display.transfers import describe_transfer
from primepods_magic.notebook.progress.download_bar import show_transfer
from primepods_magic.notebook.shell.output import say
from primepods_magic.notebook.shell.prompt import confirm
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.files.local_tree import list_folder
from primepods_magic.remote.files.results import TransferResult, format_bytes
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.files.syncing import sync_folder
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.values.calls import make_call

__all__ = ["send_project"]

_MAX_BYTES = 100_000_000


def send_project(shell: Any, link: PodLink, *, is_confirmed: bool) -> Header:
    """Send what has changed in the current folder, and return the call that makes a session use it.

    Raises InvalidRequest if it is the home, or if more than 100 MB are not confirmed.
    """
    folder = os.path.realpath(os.getcwd())
    home = find_home()
    if folder == os.path.dirname(folder) or (home is not None and folder == os.path.realpath(home)):
        raise InvalidRequest(
            f"'--sync' sends the folder of the notebook, and {sanitize(folder)!r} is not that of a project. "
            "Put the notebook into a folder of its own. Nothing was sent or run"
        )
    target = posixpath.join("~", os.path.basename(folder))
    if not is_confirmed:
        _check_size(shell, link, folder, target)
    with show_transfer(shell, f"Sending to {link.name}") as progress:
        result = sync_folder(link, folder, target, watch=StreamWatch(on_progress=progress))
    sent = [file.path for file in result.files if file.action == "sent"]
    if sent:
        say(" · ".join([f"{link.name}:{sanitize(os.path.basename(folder))}", *describe_transfer(result)]))
    return make_call("enter_folder", folder=target, changed=sent)


def _check_size(shell: Any, link: PodLink, folder: str, target: str) -> None:
    """Ask before much is sent; what the pod has already does not count."""
    if sum(entry.size for entry in list_folder(folder)[0]) <= _MAX_BYTES:
        return
    planned = sync_folder(link, folder, target, dry_run=True)
    size = _measure_planned(planned)
    if size > _MAX_BYTES and not confirm(
        shell, f"Send {format_bytes(size)} of {sanitize(folder)} to {link.name}?"
    ):
        raise InvalidRequest(
            f"Sending {format_bytes(size)} of {sanitize(folder)!r} was not confirmed. Nothing was sent or "
            "run. Pass --yes to confirm in advance; files named in .podignore are not sent"
        )


def _measure_planned(planned: TransferResult) -> int:
    return sum(file.size_bytes for file in planned.files if file.action == "would send")
