"""jupyter console in a pseudo-terminal, and qtconsole without a screen: lines, and nothing about comms."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.package.environments import Environment
from tests.support.sandbox_control import SandboxControl
from tests.support.terminal import started

CREATE = "%pod_create --gpu L4_24GB --name train --wait"
CELLS = (
    "%load_ext primepods_magic",
    "%pods connect --sandbox",
    CREATE,
    "%pods watch",
    "%pods launcher",
    "%pods rm train",
)
SESSION = """
import json, sys
from qtpy import QtCore, QtWidgets
from qtconsole.manager import QtKernelManager
from qtconsole.rich_jupyter_widget import RichJupyterWidget

application = QtWidgets.QApplication([])
console = RichJupyterWidget()
console.kernel_manager = QtKernelManager(kernel_name="python3")
console.kernel_manager.start_kernel()
client = console.kernel_manager.client()
client.start_channels()
console.kernel_client = client
cells, begun = json.load(sys.stdin), 0

def go_on():
    global begun
    text = console._control.toPlainText()
    if f"In [{begun + 1}]: " not in text:
        return
    if begun < len(cells):
        console.execute(cells[begun])
        begun += 1
    else:
        print(text)
        application.quit()

timer = QtCore.QTimer()
timer.timeout.connect(go_on)
timer.start(100)
application.exec_()
client.stop_channels()
console.kernel_manager.shutdown_kernel(now=True)
"""


def expect_lines(text: str) -> None:
    lines = text.splitlines()
    assert "train  provisioning" in lines, text
    assert any(line.startswith("train  installing 4") for line in lines), text
    assert sum(line.startswith("train  ready  ssh root@") for line in lines) >= 2, text
    assert "The launcher needs a notebook that shows widgets" in text
    assert "No such comm" not in text, text


@pytest.mark.soak
def test_jupyter_console_shows_lines(
    front_ends: Environment,
    front_end_environment: dict[str, str],
    tmp_path: Path,
    sandbox: SandboxControl,
) -> None:
    command = [front_ends.python, "-m", "jupyter_console", "--simple-prompt", "--no-confirm-exit"]
    environment = {**front_end_environment, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    with started(command, environment, tmp_path, timeout=60) as terminal:
        expect_lines("\n".join(terminal.run(cell) for cell in CELLS))


@pytest.mark.soak
def test_qtconsole_shows_lines(
    front_ends: Environment, front_end_environment: dict[str, str], sandbox: SandboxControl
) -> None:
    done = subprocess.run(
        [front_ends.python, "-c", SESSION],
        input=json.dumps(CELLS),
        env={
            **front_end_environment,
            "PRIMEPODS_SANDBOX_URL": sandbox.url,
            "QT_QPA_PLATFORM": "offscreen",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expect_lines(done.stdout)
    assert "No such comm" not in done.stderr
