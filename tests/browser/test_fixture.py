"""The browser fixture itself: a plain widget, moved by a thread while its kernel is idle."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.server import JupyterLab

MOVED_BY_A_THREAD = """
import threading, time
from ipywidgets import IntProgress

bar = IntProgress(description="moving")
def move():
    while bar.value < 100:
        bar.value += 5
        time.sleep(0.1)
threading.Thread(target=move, daemon=True).start()
bar
"""


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_a_thread_moves_a_bar_while_the_kernel_is_idle(
    theme: str, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    name = f"fixture-{theme.split()[-1].lower()}"
    page = lab_page(theme)
    page.open_notebook(jupyterlab.add_notebook(name, [MOVED_BY_A_THREAD, "6 * 7"]))
    page.run_cell(0)
    bar = page.output_of(0).locator(".progress-bar")
    expect(bar).to_be_visible()
    expect(bar).to_have_attribute("style", re.compile(r"\bwidth: 100%"), timeout=20_000)
    page.run_cell(1)
    expect(page.output_of(1)).to_contain_text("42")
    page.screenshot("fixture")


def test_run_all_runs_every_cell(jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]) -> None:
    page = lab_page(LIGHT)
    page.open_notebook(jupyterlab.add_notebook("run-all", ["x = 6", "x * 7"], {"FROM": "the test"}))
    page.run_all()
    expect(page.output_of(1)).to_contain_text("42")
