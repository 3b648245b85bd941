"""The process of the machines: `python -m primepods_magic.sandbox.machines`, started by `host`."""

from __future__ import annotations

import asyncio
import sys

from .commands import serve_commands

if __name__ == "__main__":
    sys.exit(asyncio.run(serve_commands()))
