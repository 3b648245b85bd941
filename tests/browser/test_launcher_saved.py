"""What is left of a launcher in a saved notebook: its last state, and no secret."""

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
LAUNCHER, AGAIN = 1, 2
CELLS = [bars.CONNECT, "%pods launcher", "%pods launcher"]


def launched(part: LauncherPart, sandbox: SandboxControl) -> None:
    part.until_offers()
    part.field("GPU type").fill("l40s")
    expect(part.offers.locator("option").first).to_contain_text("L40S_48GB")
    part.choose(0)
    part.field("Name").fill("eval")
    part.root.get_by_role("button", name="More settings").click()
    part.field("Environment variable").fill("HF_TOKEN")
    part.field("Its value").fill(SECRET)
    part.field("Jupyter password").fill(PASSWORD)
    part.field("Name").click()
    part.says("HF_TOKEN = •••••")
    part.button("Review and launch …").click()
    part.root.get_by_role("button", name="Launch for").click()
    part.says("'eval' is rented")
    sandbox.advance(30)
    part.says("COMPLETE 100 %")


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
    expect(last).to_contain_text("COMPLETE 100 %", timeout=20_000)
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
    expect(shown).to_contain_text("COMPLETE 100 %")
    expect(shown).to_contain_text("ssh ubuntu@")
    expect(shown.get_by_text("Error displaying widget")).to_be_hidden()
    expect(shown.get_by_text("Loading widget")).to_be_hidden()
    closed.screenshot("launcher-reopened")

    page_of_it, _ = HTMLExporter().from_notebook_node(notebook)
    assert "COMPLETE 100 %" in page_of_it
    assert SECRET not in page_of_it
