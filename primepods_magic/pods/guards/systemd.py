"""A systemd unit that starts the guard process with this computer, for people who want that."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.atomic_files import describe_error, write_atomically
from primepods_magic.api.local.folders import find_home, make_folder, shorten_path
from primepods_magic.api.settings import load_settings
from primepods_magic.pods.connection.connection import Connection

from .process import MODULE, OWN_SETTINGS

__all__ = ["GuardUnit", "write_unit"]

UNIT = "primepods-guard.service"
_TEXT = """\
[Unit]
Description=Guards of Prime Intellect pods

[Service]
ExecStart={python} -m {module} {option}
Restart=always
RestartSec=30

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class GuardUnit:
    """A unit that was written, and the commands that switch it on and off."""

    path: Path
    commands: tuple[str, ...] = (
        f"systemctl --user enable --now {UNIT}",
        "loginctl enable-linger",
        f"systemctl --user disable --now {UNIT}",
    )


def write_unit(connection: Connection) -> GuardUnit:
    """Write a unit of the user's systemd that runs the guard process, and return it; nothing is started.

    It reads the key from the files of the official command line. Raises InvalidRequest without systemd, or if
    these files hold no such key.
    """
    home = find_home()
    if shutil.which("systemctl") is None or home is None:
        raise InvalidRequest("This computer has no systemd, or no home folder. Nothing was written")
    stored = load_settings(
        {name: value for name, value in os.environ.items() if not name.startswith("PRIME_")}
    )
    if not stored.api_key or stored.base_url != connection.settings.base_url:
        raise InvalidRequest(
            "A guard that systemd starts reads the key from the files of 'prime', which hold none for "
            f"{connection.settings.base_url}. Nothing was written. Run 'prime login' first"
        )
    python = sys.executable.replace("%", "%%")
    if any(letter.isspace() or letter in "\"'\\" for letter in python):
        raise InvalidRequest(f"systemd cannot start {python}, whose path has spaces. Nothing was written")
    path = home / ".config" / "systemd" / "user" / UNIT
    try:
        make_folder(path.parent)
        write_atomically(path, _TEXT.format(python=python, module=MODULE, option=OWN_SETTINGS), mode=0o644)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot write {shorten_path(path)} ({describe_error(error)}). Nothing was changed"
        ) from None
    return GuardUnit(path)
