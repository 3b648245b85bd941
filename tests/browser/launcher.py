"""The launcher on a page as its user sees it, found by what it says to a screen reader."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.accessibility import serious_findings
from tests.browser.lab_page import LabPage
from tests.browser.server import JupyterLab
from tests.support import soak
from tests.support.sandbox_control import SandboxControl

OURS = ".primepods-launcher"
WIDE, NARROW = 1280, 600
# High enough for all of it: what is outside of the window is not in a picture.
_HEIGHT = 2300


class LauncherPart:
    """The launcher under one cell."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.root = page.output_of(cell).locator(OURS)

    def field(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def offers(self) -> Locator:
        return self.field("Offers")

    @property
    def cell_text(self) -> str:
        return self.field("Equivalent cell").input_value()

    def choose(self, number: int) -> None:
        self.offers.select_option(index=number)
        expect(self.root).to_contain_text("Configure the pod")

    def until_offers(self) -> None:
        expect(self.offers.locator("option").first).to_be_attached()

    def says(self, text: str, *, within: float = 20) -> None:
        expect(self.root).to_contain_text(text, timeout=within * 1000)

    def pictures(self, state: str, *, in_both_themes: bool = False) -> None:
        """Take a picture in each width; axe finds nothing serious, and nothing sticks out of the launcher.

        Ordinary runs ask axe, which takes a second, about the states that have all there is to see.
        """
        for theme in self.page.show_in_each_theme() if in_both_themes else [self.page.theme]:
            if in_both_themes or soak.SOAK:
                assert serious_findings(self.page.page, OURS) == [], f"{state} in {theme}"
            for width in (NARROW, WIDE):
                self.page.page.set_viewport_size({"width": width, "height": _HEIGHT})
                expect(self.root).to_be_visible()
                self.page.screenshot(f"launcher-{state}-{width}", self.root)
                assert not self.root.evaluate(_STICKS_OUT), f"{state} sticks out at {width} px in {theme}"


def opened(page: LabPage, lab: JupyterLab, name: str, cells: list[str], sandbox: SandboxControl) -> LabPage:
    """The page with a notebook of these cells, of which the first is run."""
    environment = {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    page.open_notebook(lab.add_notebook(f"launcher-{name}", cells, environment))
    # Without the files beside it: the notebook has the width that the window has.
    page.page.keyboard.press("Control+b")
    page.run_cell(0)
    return page


def pods_of(sandbox: SandboxControl) -> list[dict[str, Any]]:
    """What the sandbox lists."""
    pods: list[dict[str, Any]] = sandbox.api.get("/api/v1/pods").json()["data"]
    return pods


_STICKS_OUT = """root => {
  const right = root.getBoundingClientRect().right + 1;
  return [...root.querySelectorAll("*")].filter(one => !one.closest(".primepods-table, pre, textarea, option")
    && getComputedStyle(one).position !== "absolute" && one.getBoundingClientRect().right > right)
    .map(one => one.outerHTML.slice(0, 200)).join("\\n");
}"""
