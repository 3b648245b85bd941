"""The line below a cell that ran on a pod can be read in both themes, on wide and narrow pages."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.accessibility import serious_findings
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import controlled

CELLS = [
    "%load_ext primepods_magic\n%pods connect --sandbox",
    "%pod_create --gpu L4_24GB --name train --yes --wait",
    "%%pod train\nfrom IPython.display import HTML\nprint('epoch 1')\nHTML('<b>done</b>')",
    "%%pod train\n1 / 0",
    "%pods cells",
]


def test_the_line_below_a_cell_can_be_read(
    jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    with controlled(clock="stepped", machines=True, history=0) as machines:
        page = lab_page(LIGHT)
        page.open_notebook(jupyterlab.add_notebook("costs", CELLS, {"PRIMEPODS_SANDBOX_URL": machines.url}))
        for number in range(len(CELLS)):
            page.run_cell(number)
        lines = page.page.locator(".jp-OutputArea-output div", has_text="train · 1 × L4_24GB · ")
        expect(lines.last).to_be_visible()
        for _ in page.show_in_each_theme():
            for width in (1280, 760):
                page.page.set_viewport_size({"width": width, "height": 860})
                assert serious_findings(page.page, ".jp-Notebook .jp-OutputArea") == []
                page.cell(2).scroll_into_view_if_needed()
                page.screenshot(f"costs-{width}")
    assert page.errors == []
