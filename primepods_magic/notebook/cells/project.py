"""The notebook's folder on the pod: ``%%pod --sync`` sends what has changed before the cell runs."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.notebook.display.transfers import describe_transfer
from primepods_magic.notebook.progress.download_bar import show_transfer
from primepods_magic.notebook.shell.output import say
from primepods_magic.notebook.shell.prompt import confirm
from primepods_magic.remote.agent.files.listing import Entry
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.files.questions import claim_remote
from primepods_magic.remote.files.results import TransferResult, format_bytes, join_names
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.files.syncing import sync_folder
from primepods_magic.remote.files.transfers import guard_transfer
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.values.calls import make_call
from primepods_magic.remote.values.secret_files import find_secret_files

__all__ = ["send_project", "send_quietly"]

_MAX_BYTES = 100_000_000
Ask = Callable[[str], bool]


def send_project(shell: Any, link: PodLink, *, is_confirmed: bool) -> Header:
    """Send what has changed in the current folder, and return the call that makes a session use it.

    Raises InvalidRequest if it is hidden, is or contains the home, or if someone has to confirm and does not:
    more than 100 MB, possible secrets, or a folder there that another one was sent to.
    """

    def ask(question: str) -> bool:
        return is_confirmed or confirm(shell, question)

    folder, target = _find_folders()
    _claim_folder(link, folder, target, ask, StreamWatch())
    with show_transfer(shell, f"Sending to {link.name}") as progress:
        result = _send_changes(link, folder, target, ask, StreamWatch(on_progress=progress))
    call, line = _enter_folder(link, target, result)
    if line:
        say(line)
    return call


def send_quietly(link: PodLink, watch: StreamWatch) -> tuple[Header, str]:
    """Send what has changed in the current folder; return the call, and a line if anything was sent.

    Raises InvalidRequest as `send_project` does if no one confirms.
    """
    folder, target = _find_folders()
    with guard_transfer(link, watch, "sent"):
        _claim_folder(link, folder, target, None, watch)
    return _enter_folder(link, target, _send_changes(link, folder, target, None, watch))


def _find_folders() -> tuple[str, str]:
    """Return the current folder and the one on the pod; raise InvalidRequest if it is the home."""
    folder = os.path.realpath(os.getcwd())
    home = find_home()
    has_home = home is not None and Path(os.path.realpath(home)).is_relative_to(folder)
    if has_home or folder == os.path.dirname(folder) or os.path.basename(folder).startswith("."):
        raise InvalidRequest(
            f"'--sync' sends the folder of the notebook, and {sanitize(folder)!r} is not that of a project. "
            "Put the notebook into a folder of its own. Nothing was sent or run"
        )
    return folder, posixpath.join("~", os.path.basename(folder))


def _enter_folder(link: PodLink, target: str, result: TransferResult) -> tuple[Header, str]:
    is_sent = any(file.action == "sent" for file in result.files)
    place = f"{link.name}:{sanitize(posixpath.basename(target))}"
    line = " · ".join([place, *describe_transfer(result)]) if is_sent else ""
    return make_call("enter_folder", folder=target), line


def _claim_folder(link: PodLink, folder: str, target: str, ask: Ask | None, watch: StreamWatch) -> None:
    """Ask before it is mixed with another one; raise InvalidRequest for a no, and if no one can be asked."""
    here, there = sanitize(folder), f"{link.name}:{sanitize(posixpath.basename(target))}"
    if claim_remote(link, target, folder, watch):
        return
    if ask is None or not ask(f"{there} has another folder of that name. Send {here} into it?"):
        ways = "Rename one" if ask is None else "Pass --yes to send them into it, rename one"
        raise InvalidRequest(
            f"{there} has the files of another folder of that name, not of {here}. Nothing was sent or "
            f"run. {ways} of the folders, or remove the one there: "
            f"'%pods exec {link.name} -- rm -r {quote(sanitize(posixpath.basename(target)))}'"
        )
    claim_remote(link, target, folder, watch, force=True)


def _send_changes(
    link: PodLink, folder: str, target: str, ask: Ask | None, watch: StreamWatch
) -> TransferResult:
    """Ask before much or a secret is sent. What the pod has already does not count."""
    here = sanitize(folder)

    def check(changed: Sequence[Entry]) -> None:
        size = sum(entry.size for entry in changed)
        found = join_names(find_secret_files(folder, changed))
        for what in (
            format_bytes(size) if size > _MAX_BYTES else "",
            found and f"possible secrets ({found})",
        ):
            if not what or (ask and ask(f"Send {what} of {here} to {link.name}?")):
                continue
            if ask is None:
                raise InvalidRequest(
                    f"The kernel cannot ask whether to send {what} of {here}. Nothing was sent or run. Name "
                    "what is not to be sent in .podignore, or send it once from another notebook: "
                    f"'%pods sync {quote(here)} {link.name}'"
                )
            raise InvalidRequest(
                f"Sending {what} of {here} was not confirmed. Nothing was sent or run. Pass --yes to confirm "
                "in advance; files named in .podignore are not sent"
            )

    return sync_folder(link, folder, target, check=check, watch=watch)
