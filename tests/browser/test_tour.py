"""What a newcomer sees: the quickstart run as a whole, and the picture in the README."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.bars import percent
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.notebooks import NOTEBOOKS
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

TOUR = [
    "%load_ext primepods_magic\n%pods connect --sandbox",
    "%%pod_create\nname: train\ngpu: H100_80GB\ncount: 8\nmax_price: 20",
    "%%pod_create\nname: eval\ngpu: L40S_48GB",
    "%pods ls",
]
TRAIN, EVAL, LIST = 1, 2, 3


def test_two_pods_come_up_beside_a_listing(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    page.page.set_viewport_size({"width": 1780, "height": 840})
    path = jupyterlab.add_notebook("tour", TOUR, at(sandbox))
    page.open_notebook(path)
    page.run_cell(0)
    page.run_cell(TRAIN)
    sandbox.advance(20)
    expect(page.output_of(TRAIN)).to_contain_text("COMPLETE")
    page.run_cell(EVAL)
    # Two steps, for it takes two to tell how long the rest will take.
    for seconds, reached in ((5, 0), (2, 30)):
        sandbox.advance(seconds)
        eventually(lambda reached=reached: percent(page.bar("eval")) > reached, "eval installs")
    page.run_cell(LIST)
    rows = page.output_of(LIST).locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(page.output_of(LIST)).to_contain_text("sandbox · 2 pods")
    page.page.keyboard.press("Escape")
    page.screenshot("tour", page.page.locator(".jp-Notebook"))


def test_the_quickstart_runs_from_top_to_bottom(
    running_sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    cells = json.loads((NOTEBOOKS / "quickstart.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    # The last cell is the mistake, which would end the run.
    path = jupyterlab.add_notebook("quickstart", code[:-1], at(running_sandbox))
    page = lab_page(LIGHT)
    page.page.set_viewport_size({"width": 1280, "height": 3600})
    page.open_notebook(path)
    page.run_all()
    for number, said in enumerate(
        ("connected to the sandbox", "H100_80GB", "COMPLETE", "nothing was created", "ACTIVE (ready)")
    ):
        expect(page.output_of(number)).to_contain_text(said)
    expect(page.output_of(7)).to_contain_text("terminated")
    expect(page.page.locator(".jp-OutputArea-output[data-mime-type*='error']")).to_have_count(0)
    page.screenshot("quickstart", page.page.locator(".jp-Notebook"))


def at(sandbox: SandboxControl) -> dict[str, str]:
    return {"PRIMEPODS_SANDBOX_URL": sandbox.url}
