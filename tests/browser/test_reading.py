"""What takes long to read shows how far it is, and leaves nothing of that behind."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.accessibility import serious_findings
from tests.browser.lab_page import DARK, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import controlled

ROWS = 3000


def test_a_long_history_has_a_bar_while_it_is_read(
    jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    cells = ["%load_ext primepods_magic\n%pods connect --sandbox", "history = %pods history\nlen(history)"]
    with controlled(clock="stepped", history=ROWS, page_cap=100, latency_ms=600) as slow:
        page = lab_page(DARK)
        page.open_notebook(jupyterlab.add_notebook("reading", cells, {"PRIMEPODS_SANDBOX_URL": slow.url}))
        page.run_cell(0)
        page.run_cell(1, wait=False)
        bar = page.output_of(1).locator("[role=progressbar]")
        expect(bar).to_contain_text(f"of {ROWS:,} rows")
        assert serious_findings(page.page, "[role=progressbar]") == []
        page.screenshot("reading", page.cell(1))
        page.until_done(1)
        expect(bar).to_have_count(0)
        expect(page.output_of(1).locator(".jp-OutputArea-executeResult pre")).to_have_text(str(ROWS))
