"""`%%pod_create` in a browser: the bar moves while the kernel is idle or computes, and what is heard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.bars import moves_on, percent
from tests.browser.lab_page import DARK, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

CONNECT, CREATE, COMPUTE, AWAIT = range(4)
CELLS = [bars.CONNECT, bars.CREATE, bars.COMPUTE, bars.AWAIT]
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

    printed = page.printed()
    busy = jupyterlab.folder / "busy"
    for number in (COMPUTE, AWAIT):
        busy.touch()
        page.run_cell(number, wait=False)
        eventually(lambda number=number: page.is_running(number), "the cell runs")
        assert moves_on(bar, sandbox) < 100
        assert page.is_running(number)
        busy.unlink()
        page.until_done(number)
    assert page.printed() == [*printed, "computed", "awaited"]

    sandbox.advance(bars.UNTIL_COMPLETE)
    expect(page.output_of(CREATE)).to_contain_text("ready")
    eventually(lambda: percent(bar) == 100, "the bar is full")
    expect(bar).to_have_count(1)
    page.screenshot("create-complete")
    heard = page.page.evaluate("window.heard")
    assert heard == list(dict.fromkeys(heard))
    assert "train is ready" in heard
    assert len(heard) <= 3
    assert page.errors == []
