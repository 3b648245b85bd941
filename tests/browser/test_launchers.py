"""A launcher beside others: in a saved notebook, in a kernel that computes, twice, again, and unloaded."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.launcher import LauncherPart
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl

SECRET, PASSWORD = "hf_Zq8Wm2Tk5Xc9Vb4", "correct-horse-battery"
LAUNCHER, AGAIN, FREE, UNLOAD, THREADS = range(1, 6)
CELLS = [
    bars.CONNECT,
    "%pods launcher",
    "%pods launcher",
    "print('free')",
    "%unload_ext primepods_magic",
    "import threading\nprint(*sorted(t.name for t in threading.enumerate() if 'primepods' in t.name), 'end')",
]


def launched(part: LauncherPart, sandbox: SandboxControl) -> None:
    part.until_offers()
    part.field("GPU type").fill("l40s")
    expect(part.offers.locator("option").first).to_contain_text("L40S_48GB")
    part.choose(0)
    part.field("Name").fill("eval")
    part.root.get_by_role("button", name="Show more settings").click()
    part.field("Environment variable").fill("HF_TOKEN")
    part.field("Value").fill(SECRET)
    part.field("Jupyter password").fill(PASSWORD)
    part.field("Name").click()
    part.says("HF_TOKEN = •••••")
    part.button("Review and launch …").click()
    part.root.get_by_role("button", name="Launch for").click()
    part.says("Launched 'eval'")
    sandbox.advance(30)
    part.says("@198.51.100.")


def test_a_saved_notebook_tells_the_last_state_without_kernel_and_without_secrets(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    path = jupyterlab.add_notebook("launcher-saved", CELLS[:AGAIN], {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    page.open_notebook(path)
    page.run_cell(0)
    page.run_cell(LAUNCHER)
    part = LauncherPart(page, LAUNCHER)
    launched(part, sandbox)
    last = page.output_of(LAUNCHER).locator(".primepods-last")
    expect(last).to_contain_text("@198.51.100.")
    expect(last).to_be_hidden()
    page.save()

    text = (jupyterlab.folder / path).read_text()
    for secret in (SECRET, PASSWORD):
        assert secret not in text
    assert "${HF_TOKEN}" in text

    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata.kernelspec.name = "nobody-has-it"
    nbformat.write(notebook, jupyterlab.folder / "launcher-reopened.ipynb")
    closed = lab_page(LIGHT)
    closed.open_without_kernel("launcher-reopened.ipynb")
    shown = closed.output_of(LAUNCHER)
    expect(shown).to_contain_text("@198.51.100.")
    expect(shown).to_contain_text("ssh ubuntu@")
    expect(shown.get_by_text("Error displaying widget")).to_be_hidden()
    expect(shown.get_by_text("Loading widget")).to_be_hidden()
    closed.screenshot("launcher-reopened")

    page_of_it, _ = HTMLExporter().from_notebook_node(notebook)
    assert "@198.51.100." in page_of_it
    assert SECRET not in page_of_it


def test_launchers_do_not_disturb_one_another_nor_the_kernel_and_leave_nothing_behind(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    page.page.set_viewport_size({"width": 1280, "height": 1600})
    page.open_notebook(jupyterlab.add_notebook("launchers", CELLS, {"PRIMEPODS_SANDBOX_URL": sandbox.url}))
    for number in (0, LAUNCHER, AGAIN):
        page.run_cell(number)
    one, other = LauncherPart(page, LAUNCHER), LauncherPart(page, AGAIN)
    for part, gpu, value in ((one, "h100", SECRET), (other, "l40s", PASSWORD)):
        part.until_offers()
        part.field("GPU type").fill(gpu)
        expect(part.offers.locator("option").first).to_contain_text(gpu.upper())
        part.choose(0)
        part.root.get_by_role("button", name="Show more settings").click()
        part.field("Environment variable").fill("HF_TOKEN")
        part.field("Value").fill(value)
        part.field("Name").click()
    one.says("HF_TOKEN = ••••• ${HF_TOKEN}")
    other.says("HF_TOKEN = ••••• ${HF_TOKEN_2}")
    assert "gpu: H100_80GB" in one.cell_text
    assert "gpu: L40S_48GB" in other.cell_text

    held = [{"fault": "latency", "method": "POST", "path": "/pods", "seconds": 4}]
    sandbox.api.put("/sandbox/faults", json=held).raise_for_status()
    one.button("Review and launch …").click()
    one.root.get_by_role("button", name="Launch for").click()
    one.says("Launching …")
    page.run_cell(FREE)
    expect(page.output_of(FREE)).to_have_text("free")
    one.says("Launching …", within=1)
    one.says("Launched '")

    page.run_cell(LAUNCHER)
    expect(one.root).to_have_count(1)
    one.until_offers()
    expect(one.field("GPU type")).to_have_value("")
    other.says("provisioning")
    page.run_cell(UNLOAD)
    for part in (one, other):
        expect(part.root.locator("select, button")).to_have_count(0)
    page.run_cell(THREADS)
    expect(page.output_of(THREADS)).to_have_text("end")
    assert page.errors == []
