"""A page of JupyterLab or Notebook as its user sees it: open a notebook, run cells, see what they show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

from tests.browser.server import TOKEN, JupyterLab

PICTURES = os.environ.get("PRIMEPODS_PICTURES") == "1"
SCREENSHOTS = Path(__file__).with_name("screenshots")
DARK, LIGHT = "JupyterLab Dark", "JupyterLab Light"
_IDLE = re.compile(r"^Python 3 \(ipykernel\) \| Idle$")
_DONE = re.compile(r"\[\d+\]:")
_CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


class LabPage:
    """Cells are counted from 0. Everything that waits is bounded and says what it waited for."""

    def __init__(self, page: Page, lab: JupyterLab, theme: str) -> None:
        self.page = page
        self.theme = theme
        self.errors: list[str] = []
        """What the page complained of since its notebook was open."""
        self._lab = lab

    def open_notebook(self, path: str) -> None:
        """Open a notebook of the server's folder in a fresh workspace; its kernel is ready afterwards."""
        self.page.goto(self._address(path))
        self._until_ready()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open_without_kernel(self, path: str) -> None:
        """Open a notebook whose kernel nobody has here, as a reader who only wants to look."""
        self.page.goto(self._address(path))
        self.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
        expect(self.page.locator("#jp-main-statusbar").get_by_text("No Kernel")).to_be_visible()

    def _address(self, path: str) -> str:
        return f"{self._lab.url}/lab/tree/{path}?reset&token={TOKEN}"

    def _until_ready(self) -> None:
        # The notebook's own indicator says idle before there is a kernel; the status bar does not.
        status = self.page.locator("#jp-main-statusbar").get_by_text(_IDLE)
        expect(status).to_be_visible(timeout=60_000)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

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

    def restart_kernel(self) -> None:
        """Restart the kernel by the menu, and wait until it is ready again."""
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.locator("[data-command='kernelmenu:restart']").click()
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        self._until_ready()

    def until_done(self, number: int, *, within: float = 60) -> None:
        prompt = self.cell(number).locator(".jp-InputPrompt")
        expect(prompt).to_have_text(_DONE, timeout=within * 1000)

    def is_running(self, number: int) -> bool:
        return self.cell(number).locator(".jp-InputPrompt").inner_text().startswith("[*]")

    def output_of(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputArea")

    def printed(self) -> list[str]:
        """What all cells printed, to stdout or stderr, from top to bottom."""
        streams = self.page.locator("[data-mime-type^='application/vnd.jupyter.std']")
        return [text.strip() for text in streams.all_inner_texts()]

    def show_in_each_theme(self) -> Iterator[str]:
        """Give both themes, the present one first; the page is in each while its turn lasts."""
        for theme in (self.theme, DARK if self.theme == LIGHT else LIGHT):
            if theme != self.theme:
                self._set_theme(theme)
            yield theme

    def _set_theme(self, theme: str) -> None:
        self.page.evaluate(_CHANGE_THEME, theme)
        expect(self.page.locator(f"body[data-jp-theme-name='{theme}'] .jp-Notebook")).to_be_visible()
        self.theme = theme

    def bar(self, pod: str) -> Locator:
        """The progress bar of a pod by its name; the one of the HTML beside a widget is hidden."""
        return self.page.locator(f"[role=progressbar][data-pod='{pod}']:visible")

    def save(self) -> None:
        """Save the notebook, and wait until the page says that nothing is unsaved."""
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".jp-Document.jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)

    def screenshot(self, name: str, part: Locator | None = None) -> None:
        """Save a picture of the page or a part of it, named after the theme as well, if asked to."""
        if PICTURES:
            self.save_screenshot(name, part)

    def save_screenshot(self, name: str, part: Locator | None = None) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}-{self.theme.split()[-1].lower()}.png"
        (part if part is not None else self.page).screenshot(path=path)


class NotebookPage(LabPage):
    """The same in Notebook 7, which the same server serves: one notebook a page, and no status bar."""

    def _address(self, path: str) -> str:
        return f"{self._lab.url}/notebooks/{path}?token={TOKEN}"

    def _until_ready(self) -> None:
        # The indicator says idle before there is a kernel, too; the other one has then not said anything yet.
        connected = ".jp-NotebookKernelStatus-fade:not(.jp-NotebookKernelStatus-info)"
        idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
        expect(self.page.locator(f"body:has({connected}) {idle}")).to_be_visible(timeout=60_000)

    def save(self) -> None:
        """Save the notebook, and wait until the server has it: this page does not mark what is unsaved."""
        with self.page.expect_response(_is_saving):
            self.page.keyboard.press("Control+s")


def _is_saving(response: Response) -> bool:
    return response.request.method == "PUT" and "/api/contents/" in response.url
