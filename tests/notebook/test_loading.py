"""Loading the extension imports what loading needs; the first command imports the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "primepods_magic")
added = set(sys.modules) - before
late = {"platformdirs", "difflib", "secrets", "hashlib", "html", "signal", "primepods_magic.api.errors"}
assert not late & added, late & added
ours = [name for name in added if name.startswith("primepods_magic.notebook.")]
assert not [name for name in ours if ".input" in name or ".commands" in name or ".progress" in name], ours
shell.run_line_magic("pods", "-h")
"""


def test_loads_nothing_that_only_commands_need(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Rent, watch and terminate GPU pods" in done.stdout
