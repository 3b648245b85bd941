"""A JupyterLab page as its user sees it: open a notebook, run cells, look at what they show."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.server import TOKEN, JupyterLab

SCREENSHOTS = Path(__file__).with_name("screenshots")
DARK, LIGHT = "JupyterLab Dark", "JupyterLab Light"
_IDLE = re.compile(r"^Python 3 \(ipykernel\) \| Idle$")
_DONE = re.compile(r"\[\d+\]:")


class LabPage:
    """Cells are counted from 0. Everything that waits is bounded and says what it waited for."""

    def __init__(self, page: Page, lab: JupyterLab, theme: str) -> None:
        self.page = page
        self.theme = theme
        self._lab = lab

    def open_notebook(self, path: str) -> None:
        """Open a notebook of the server's folder in a fresh workspace; its kernel is ready afterwards."""
        self.page.goto(f"{self._lab.url}/lab/tree/{path}?reset&token={TOKEN}")
        # The notebook's own indicator says idle before there is a kernel; the status bar does not.
        status = self.page.locator("#jp-main-statusbar").get_by_text(_IDLE)
        expect(status).to_be_visible(timeout=60_000)

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def run_cell(self, number: int, *, wait: bool = True) -> None:
        """Run one cell as a person does: click into it, Ctrl-Enter."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        if wait:
            self.until_done(number)

    def run_all(self, *, wait: bool = True) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator("[data-command='runmenu:run-all']").click()
        if wait:
            for number in range(self.page.locator(".jp-Notebook .jp-CodeCell").count()):
                self.until_done(number)

    def until_done(self, number: int, *, within: float = 60) -> None:
        prompt = self.cell(number).locator(".jp-InputPrompt")
        expect(prompt).to_have_text(_DONE, timeout=within * 1000)

    def is_running(self, number: int) -> bool:
        return self.cell(number).locator(".jp-InputPrompt").inner_text().startswith("[*]")

    def output_of(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputArea")

    def bar(self, pod: str) -> Locator:
        """The progress bar of a pod by its name."""
        return self.page.locator(f"[role=progressbar][data-pod='{pod}']")

    def save(self) -> None:
        """Save the notebook, and wait until the page says that nothing is unsaved."""
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".jp-Document.jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)

    def screenshot(self, name: str, part: Locator | None = None) -> Path:
        """A picture of the page, or of a part of it, named after the theme as well."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}-{self.theme.split()[-1].lower()}.png"
        (part if part is not None else self.page).screenshot(path=path)
        return path
