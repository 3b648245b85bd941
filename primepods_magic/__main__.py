"""The command ``primepods``, also as ``python -m primepods_magic``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command of this process's arguments, and return its exit code."""
    try:
        from .notebook.script.command_line import run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Nothing was done\n")
        return 130
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
