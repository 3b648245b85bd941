"""`%%pod_create` in a browser: the bar moves while the kernel is idle or computes, and what is heard."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.bars import moves_on, percent
from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

CONNECT, CREATE, COMPUTE = 0, 1, 2
CELLS = [bars.CONNECT, bars.CREATE, bars.COMPUTE]
# Everything that is said to a screen reader without being asked for, once each.
HEARD = """
window.heard = [];
const live = one => one.matches("[aria-live],[role=status]") && one.closest(".jp-OutputArea-output");
new MutationObserver(seen => {
  for (const change of seen) for (const node of change.addedNodes) {
    if (!(node instanceof Element)) continue;
    for (const one of [node, ...node.querySelectorAll("*")].filter(live)) window.heard.push(one.textContent);
  }
}).observe(document.body, {childList: true, subtree: true});
"""


def test_the_bar_moves_while_the_kernel_is_idle_and_while_it_computes_and_each_change_is_heard_once(
    sandbox: SandboxControl,
    jupyterlab: JupyterLab,
    lab_page: Callable[[str], LabPage],
) -> None:
    page = lab_page(DARK)
    page.open_notebook(jupyterlab.add_notebook("create", CELLS, {"PRIMEPODS_SANDBOX_URL": sandbox.url}))
    page.page.evaluate(HEARD)
    page.run_cell(CONNECT)
    page.run_cell(CREATE)
    bar = page.bar("train")
    expect(bar).to_be_visible()
    assert percent(bar) <= 0

    sandbox.advance(bars.UNTIL_ACTIVE)
    assert moves_on(bar, sandbox) < moves_on(bar, sandbox) < 100
    assert not page.is_running(CREATE)
    page.screenshot("create-part-way")

    busy = jupyterlab.folder / "busy"
    busy.touch()
    page.run_cell(COMPUTE, wait=False)
    eventually(lambda: page.is_running(COMPUTE), "the cell computes")
    assert moves_on(bar, sandbox) < moves_on(bar, sandbox) < 100
    assert page.is_running(COMPUTE)
    busy.unlink()
    page.until_done(COMPUTE)
    expect(page.output_of(COMPUTE)).to_have_text("computed")

    sandbox.advance(bars.UNTIL_COMPLETE)
    expect(page.output_of(CREATE)).to_contain_text("COMPLETE")
    eventually(lambda: percent(bar) == 100, "the bar is full")
    expect(bar).to_have_count(1)
    page.screenshot("create-complete")
    heard = page.page.evaluate("window.heard")
    assert heard == list(dict.fromkeys(heard))
    assert "train is ready" in heard
    assert len(heard) <= 3


def test_what_is_saved_tells_the_last_state_as_text(
    running_sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    environment = {"PRIMEPODS_SANDBOX_URL": running_sandbox.url}
    path = jupyterlab.add_notebook("create-saved", CELLS[: CREATE + 1], environment)
    page.open_notebook(path)
    page.run_all()
    expect(page.output_of(CREATE)).to_contain_text("COMPLETE", timeout=60_000)
    page.save()
    saved = nbformat.read(jupyterlab.folder / path, 4)
    texts = [output.data["text/plain"] for output in saved.cells[CREATE].outputs if "data" in output]
    assert any(text.startswith("train  ready  ssh ") for text in texts)
    assert not any("VBox" in text or "HTML(" in text for text in texts)
