"""The picture at the top of README.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.bars import percent
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

TOUR = [
    "%load_ext primepods_magic\n%pods connect --sandbox",
    "%%pod_create\nname: train\ngpu: H100_80GB\ncount: 8\nmax_price: 20",
    "%%pod_create\nname: eval\ngpu: L40S_48GB",
    "%pods ls",
]
TRAIN, EVAL, LIST = 1, 2, 3


@pytest.mark.pictures
def test_two_pods_come_up_beside_a_listing(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    page.page.set_viewport_size({"width": 1780, "height": 880})
    path = jupyterlab.add_notebook("tour", TOUR, {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    page.open_notebook(path)
    page.run_cell(0)
    page.run_cell(TRAIN)
    sandbox.advance(20)
    expect(page.output_of(TRAIN)).to_contain_text("ready")
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
