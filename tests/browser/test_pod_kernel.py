"""A pod chosen in the kernel picker of JupyterLab and Notebook."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.pod_kernels import PodInPicker, pod_in_picker
from tests.support.waiting import eventually

NAME = "train · 1 × L4_24GB · $0.69/h · sandbox"
CELLS = [
    "import os, sys, time\nprint('on', os.environ['HOME'].rpartition('/')[2])",
    "x = 6 * 7\nx",
    "1 / 0",
    "import pandas as pd\npd.DataFrame({'step': [1, 2, 3], 'loss': [0.9, 0.5, 0.3]})",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2)); plt.plot([3, 1, 2]);",
    "from tqdm.notebook import tqdm\nfor _ in tqdm(range(5), desc='epochs'): time.sleep(0.1)",
    "import ipywidgets as w\nslider = w.IntSlider(description='rate'); label = w.Label()\n"
    "slider.observe(lambda c: setattr(label, 'value', f'moved to {c.new}'), 'value')\n"
    "w.VBox([slider, label])",
    "print('Hello,', input('Name? '))",
    "for n in range(600): print(n, end=' ', flush=True); time.sleep(0.1)",
    "!nvidia-smi -L",
]
FIRST, RESULT, ERROR, TABLE, PLOT, BAR, WIDGET, QUESTION, ENDLESS, LAST = range(10)


@pytest.fixture
def picked(jupyterlab: JupyterLab, tmp_path: Path) -> Iterator[PodInPicker]:
    with pod_in_picker(tmp_path) as picked:
        place = jupyterlab.kernels_folder / picked.spec.name
        shutil.copytree(picked.spec.folder, place)
        yield picked
        jupyterlab.shut_down_kernels()
        shutil.rmtree(place)


def choose_kernel(page: LabPage, name: str) -> None:
    """Choose a kernel as a person does, by the name at the top right."""
    page.page.locator(".jp-KernelName").click()
    dialog = page.page.get_by_role("dialog")
    dialog.locator("select").select_option(label=name)
    page.screenshot("pod-kernel-picker")
    dialog.get_by_role("button", name="Select").click()
    expect(
        page.page.locator("#jp-main-statusbar").get_by_text(re.compile(r"^train · .* \| Idle$"))
    ).to_be_visible(timeout=60_000)


def test_a_notebook_runs_on_a_pod(
    picked: PodInPicker, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    page.open_notebook(jupyterlab.add_notebook("on-a-pod", CELLS))
    choose_kernel(page, NAME)
    for number in (FIRST, RESULT, ERROR, TABLE, PLOT, BAR, WIDGET):
        page.run_cell(number)
    expect(page.output_of(FIRST)).to_contain_text("on home")
    expect(page.output_of(FIRST)).to_contain_text("train · 1 × L4_24GB · ")
    expect(page.output_of(ERROR)).to_contain_text("ZeroDivisionError")
    expect(page.output_of(PLOT).locator("img")).to_be_visible()
    expect(page.output_of(BAR)).to_contain_text("5/5")
    slider = page.output_of(WIDGET).locator(".noUi-handle")
    slider.focus()
    page.page.keyboard.press("ArrowRight")
    expect(page.output_of(WIDGET)).to_contain_text("moved to 1")
    page.run_cell(QUESTION, wait=False)
    page.output_of(QUESTION).locator("input").fill("Ada")
    page.page.keyboard.press("Enter")
    page.until_done(QUESTION)
    expect(page.output_of(QUESTION)).to_contain_text("Hello, Ada")
    for _ in page.show_in_each_theme():
        page.cell(FIRST).scroll_into_view_if_needed()
        page.screenshot("pod-kernel-top")
        page.cell(QUESTION).scroll_into_view_if_needed()
        page.screenshot("pod-kernel-bottom")
    page.run_cell(ENDLESS, wait=False)
    expect(page.output_of(ENDLESS)).to_contain_text("0 1 2")
    page.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.page.locator("[data-command='kernelmenu:interrupt']").click()
    page.until_done(ENDLESS)
    expect(page.output_of(ENDLESS)).to_contain_text("KeyboardInterrupt")
    page.run_cell(LAST)
    expect(page.output_of(LAST)).to_contain_text("GPU 0")

    # The tab is closed and opened while a cell runs.
    page.save()
    page.run_cell(ENDLESS, wait=False)
    expect(page.output_of(ENDLESS)).to_contain_text("0 1 2")
    other = lab_page(DARK)
    page.page.goto("about:blank")
    other.page.goto(other._address("on-a-pod.ipynb"))
    expect(other.cell(RESULT)).to_be_visible(timeout=60_000)
    expect(other.page.locator(".jp-KernelName")).to_have_text(NAME)
    other.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    other.page.locator("[data-command='kernelmenu:interrupt']").click()
    # What is sent before that is over is aborted, as by any kernel.
    expect(other.page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=30_000)
    other.run_cell(RESULT)
    expect(other.output_of(RESULT)).to_contain_text("42")

    # The pod ends under it.
    picked.machines.api.delete(f"/api/v1/pods/{picked.pod.id}").raise_for_status()
    picked.machines.advance(300)

    def ends() -> bool:
        picked.machines.state()
        if not other.is_running(RESULT):
            other.run_cell(RESULT, wait=False)
        return "has ended, and everything on it is gone" in other.output_of(RESULT).inner_text()

    eventually(ends, "the end of the pod is said")
    for _ in other.show_in_each_theme():
        other.screenshot("pod-kernel-ended", other.cell(RESULT))


@pytest.mark.soak
def test_it_is_chosen_in_notebook_7(
    picked: PodInPicker, jupyterlab: JupyterLab, notebook_page: Callable[[str], LabPage]
) -> None:
    page = notebook_page(LIGHT)
    page.open_notebook(jupyterlab.add_notebook("on-a-pod-7", CELLS[: PLOT + 1]))
    page.page.locator(".jp-KernelName").click()
    dialog = page.page.get_by_role("dialog")
    dialog.locator("select").select_option(label=NAME)
    dialog.get_by_role("button", name="Select").click()
    expect(page.page.locator(".jp-KernelName")).to_have_text(NAME)
    for number in (FIRST, RESULT, PLOT):
        page.run_cell(number)
    expect(page.output_of(RESULT)).to_contain_text("42")
    expect(page.output_of(PLOT).locator("img")).to_be_visible()
    page.screenshot("pod-kernel-notebook-7")
    page.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.page.locator("[data-command='kernelmenu:restart']").click()
    page.page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.run_cell(RESULT, wait=False)
    expect(page.output_of(RESULT)).to_contain_text("is new: variables of earlier cells are gone")
    expect(page.output_of(RESULT)).to_contain_text("42")
