"""The guard process: ``python -m primepods_magic.remote.guards FOLDER``, with the settings on its input.

With ``--own-settings``, as systemd starts it, it reads the settings itself and does not end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from primepods_magic.api.local.folders import make_folder
from primepods_magic.api.settings import load_settings
from primepods_magic.api.text.instants import use_zone
from primepods_magic.pods.connection.current import open_connection
from primepods_magic.pods.guards.process import LOCK_FILE, OWN_SETTINGS, describe_settings
from primepods_magic.pods.guards.records import find_account_folder
from primepods_magic.pods.launching.journal.name_lock import lock_once

from .service import GuardService


def main() -> None:
    """Guard the pods and watch the alerts of an account until there are none; end if another process does."""
    # Messages are for the person at this computer.
    use_zone(None)
    if sys.argv[1] == OWN_SETTINGS:
        stored = load_settings()
        folder = find_account_folder(open_connection(stored))
        if folder is None:
            sys.exit("guards need a home folder")
        make_folder(folder)
        _serve(folder, describe_settings(stored), stays=True)
        return
    folder = Path(sys.argv[1])
    settings = json.loads(sys.stdin.buffer.read())
    # The kernel that has started this waits for its child, and for the end of its output.
    if os.fork():
        os._exit(0)
    _serve(folder, settings)


def _serve(folder: Path, settings: dict[str, Any], *, stays: bool = False) -> None:
    with lock_once(folder / LOCK_FILE) as is_held:
        if is_held:
            GuardService(folder, settings, stays=stays).run()


if __name__ == "__main__":
    main()
