"""The guard process: ``python -m primepods_magic.remote.guards FOLDER``, with the settings on its input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from primepods_magic.pods.guards.process import LOCK_FILE
from primepods_magic.pods.launching.journal.name_lock import lock_once

from .service import GuardService


def main() -> None:
    """Guard the pods and watch the alerts of an account until there are none; end if another process does."""
    folder = Path(sys.argv[1])
    settings = json.loads(sys.stdin.buffer.read())
    # The kernel that has started this waits for its child, and for the end of its output.
    if os.fork():
        os._exit(0)
    with lock_once(folder / LOCK_FILE) as is_held:
        if is_held:
            GuardService(folder, settings).run()


if __name__ == "__main__":
    main()
