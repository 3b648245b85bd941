"""The live bar on the kernels and in the front ends that people have."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from playwright.sync_api import Locator, expect

from tests.browser import bars
from tests.browser.bars import moves_on, percent
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.launcher import LauncherPart
from tests.browser.server import JupyterLab
from tests.support.ipykernels import Ipykernel
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

VERSION, CONNECT, CREATE, COMPUTE, AWAIT = range(5)
CELLS = [
    "import sys, ipykernel\nprint(ipykernel.__version__, 'loopback_guard' in sys.modules)",
    bars.CONNECT,
    bars.CREATE,
    bars.COMPUTE,
    bars.AWAIT,
]


def test_the_bar_moves_on_older_kernels(
    ipykernel: Ipykernel,
    sandbox: SandboxControl,
    jupyterlab: JupyterLab,
    lab_page: Callable[[str], LabPage],
) -> None:
    page = lab_page(LIGHT)
    environment = {"PRIMEPODS_SANDBOX_URL": sandbox.url, **ipykernel.environment}
    page.open_notebook(jupyterlab.add_notebook(f"kernel-{ipykernel.version}", CELLS, environment))
    page.run_cell(VERSION)
    expect(page.output_of(VERSION)).to_have_text(f"{ipykernel.version} True")
    bar = begun(page, sandbox)
    printed = page.printed()
    assert moves_on(bar, sandbox) < 100
    assert not page.is_running(CREATE)

    busy = jupyterlab.folder / "busy"
    for number in (COMPUTE, AWAIT):
        busy.touch()
        page.run_cell(number, wait=False)
        eventually(lambda number=number: page.is_running(number), "the cell runs")
        assert moves_on(bar, sandbox) < 100
        assert page.is_running(number)
        busy.unlink()
        page.until_done(number)

    completes(page, sandbox)
    assert page.printed() == [*printed, "computed", "awaited"]
    assert page.errors == []


def test_bar_and_launcher_work_in_notebook_7(
    sandbox: SandboxControl, jupyterlab: JupyterLab, notebook_page: Callable[[str], LabPage]
) -> None:
    page = notebook_page(LIGHT)
    environment = {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    cells = [*CELLS[: CREATE + 1], "%pods launcher"]
    path = jupyterlab.add_notebook("notebook-7", cells, environment)
    page.open_notebook(path)
    bar = begun(page, sandbox)
    assert moves_on(bar, sandbox) < 100
    completes(page, sandbox)
    page.screenshot("notebook-7")
    page.save()
    assert nbformat.read(jupyterlab.folder / path, 4).cells[CREATE].outputs

    page.run_cell(CREATE + 1)
    part = LauncherPart(page, CREATE + 1)
    part.until_offers()
    part.offers.focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    part.says("Configure the pod: 1 × T4_16GB")
    assert page.errors == []


def begun(page: LabPage, sandbox: SandboxControl) -> Locator:
    """Rent the pod, and give its bar once the installation has begun."""
    page.run_cell(CONNECT)
    page.run_cell(CREATE)
    bar = page.bar("train")
    expect(bar).to_be_visible()
    assert percent(bar) <= 0
    sandbox.advance(bars.UNTIL_ACTIVE)
    return bar


def completes(page: LabPage, sandbox: SandboxControl) -> None:
    """Let the installation end, and see that the one bar says so."""
    bar = page.bar("train")
    sandbox.advance(bars.UNTIL_COMPLETE)
    expect(page.output_of(CREATE)).to_contain_text("ready")
    eventually(lambda: percent(bar) == 100, "the bar is full")
    expect(bar).to_have_count(1)
