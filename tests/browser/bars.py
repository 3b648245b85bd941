"""The live bar of one pod: the cells that show it, and how a test makes it move and reads it."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

CONNECT = "%load_ext primepods_magic\n%pods connect --sandbox"
CREATE = "%%pod_create\nname: train\ngpu: H100_80GB"
# Keeps hold of the interpreter as a data loader does, for as long as the test wants to look.
COMPUTE = "from pathlib import Path\nbusy = Path('busy')\nwhile busy.exists(): pass\nprint('computed')"
AWAIT = (
    "import asyncio\nfrom pathlib import Path\nbusy = Path('busy')\n"
    "while busy.exists(): await asyncio.sleep(0.05)\nprint('awaited')"
)
# From the order to the first step of the installation, by the sandbox's clock.
UNTIL_ACTIVE = 3.5
# More than the rest of the installation takes.
UNTIL_COMPLETE = 10


def percent(bar: Locator) -> int:
    """Where the bar stands; -1 when nobody says how far."""
    value = bar.get_attribute("aria-valuenow")
    return int(float(value)) if value is not None else -1


def moves_on(bar: Locator, sandbox: SandboxControl) -> int:
    """Let a second of the sandbox's clock go by, and wait until the bar has followed."""
    before = percent(bar)
    sandbox.advance(1)
    eventually(lambda: percent(bar) > before, f"the bar leaves {before} %", within=20)
    return percent(bar)
