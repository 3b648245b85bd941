"""The launcher's list of offers in a browser: in sight, within reach of keys and mouse, and in any order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.launcher import LauncherPart
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl

# What scrolls, and how far its right edge is beyond that of the launcher.
_SCROLLERS = """root => [...root.querySelectorAll("*")]
  .filter(one => one.offsetWidth > 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowY))
  .map(one => one.getBoundingClientRect().right - root.getBoundingClientRect().right)"""
# Placeholders, and whether their fields have room for them.
_CUT_PLACEHOLDERS = """root => [...root.querySelectorAll("input[placeholder]")].filter(field => {
  const style = getComputedStyle(field), pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return room > 0 && pen.measureText(field.placeholder).width > room;
}).map(field => field.placeholder)"""
_IN_SIGHT = """list => {
  const box = list.closest(".primepods-table"), line = list.selectedOptions[0].getBoundingClientRect();
  const head = box.firstElementChild.getBoundingClientRect(), its = box.getBoundingClientRect();
  return line.top >= head.bottom - 1 && line.bottom <= its.bottom + 1;
}"""


@pytest.fixture
def part(sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]) -> LauncherPart:
    """The launcher beside the list of files, where it is narrow."""
    page = lab_page(LIGHT)
    environment = {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    page.open_notebook(
        jupyterlab.add_notebook("launcher-list", [bars.CONNECT, "%pods launcher"], environment)
    )
    page.run_cell(0)
    page.run_cell(1)
    part = LauncherPart(page, 1)
    part.until_offers()
    return part


def test_every_offer_is_within_reach(part: LauncherPart) -> None:
    for width in (1280, 760):
        part.page.page.set_viewport_size({"width": width, "height": 860})
        beyond = part.root.evaluate(_SCROLLERS)
        assert beyond, "the list scrolls"
        assert max(beyond) < 0, f"a scrollbar is out of sight at {width} px"
        assert part.root.evaluate(_CUT_PLACEHOLDERS) == []
    expect(part.offers.locator("option")).to_have_count(125)
    part.offers.focus()
    for key, number in (("Home", 0), ("End", 124), ("ArrowUp", 123), ("Home", 0)):
        part.page.page.keyboard.press(key)
        assert part.offers.evaluate("list => list.selectedIndex") == number
        assert part.offers.evaluate(_IN_SIGHT), f"the line of {key} is in sight"

    part.field("Order").select_option(label="Most GPU memory first")
    part.says("125 offers, most GPU memory first")
    expect(part.offers.locator("option").first).to_contain_text("B300_262GB")

    part.choose(0)
    # Another offer was chosen before, whose form must not take the disk.
    expect(part.root.get_by_role("heading", name="B300_262GB")).to_be_visible()
    part.field("Disk (GB)").fill("5")
    part.field("Disk (GB)").blur()
    part.says("disk is at least")
    expect(part.field("Disk (GB)")).to_have_value("5")
    expect(part.button("Review and launch …")).to_be_disabled()
    assert part.page.errors == []
