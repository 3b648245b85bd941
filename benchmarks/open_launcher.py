"""The launcher in a browser: how soon its first offers are on the screen, and how soon a filter shows.

A real JupyterLab and Chromium; times are the page's own, from the key that was pressed to what it changed.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.sandbox_control import KEY, controlled
from tests.support.scripted import Answered, Asked, as_json, scripted

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.lab_page import LabPage
    from tests.browser.server import JupyterLab

PAGES, FILTERS, OFFERS = 9, 15, 2_000

_CONNECT = "%load_ext primepods_magic\n%pods connect --sandbox"
_OPEN = "from primepods_magic import Launcher\nLauncher()"
_FIRST_OFFERS = """
window.began = 0; window.shown = 0;
addEventListener("keydown", event => {
  if (event.ctrlKey && event.key === "Enter") began = performance.now();
}, true);
new MutationObserver(() => {
  const option = document.querySelector(".primepods-table option");
  if (!shown && option && option.getBoundingClientRect().height) shown = performance.now();
}).observe(document.body, {childList: true, subtree: true, attributes: true});
"""
_FILTERED = """
window.typed = 0; window.changed = 0;
const select = document.querySelector(".primepods-table select");
addEventListener("input", () => { typed = performance.now() }, true);
new MutationObserver(() => { changed = performance.now() }).observe(select, {childList: true, subtree: true});
"""


@dataclass
class _Way:
    """A way to a sandbox on which there are many more offers."""

    sandbox_url: str
    offers: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answered:
        if asked.path == "/api/v1/availability/gpus":
            page, size = (int(asked.query.get(name, ["1"])[0]) for name in ("page", "page_size"))
            items = self.offers[(page - 1) * size : page * size]
            return as_json({"items": items, "totalCount": len(self.offers)})
        answer = httpx.request(
            asked.method,
            self.sandbox_url + asked.target,
            content=asked.content,
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
            trust_env=False,
        )
        return Answered(answer.status_code, answer.content, {"Content-Type": "application/json"})


@contextmanager
def many_offers() -> Iterator[str]:
    """The address of a sandbox with `OFFERS` offers: its own again and again, in other data centers."""
    with controlled() as sandbox:
        way, page = _Way(sandbox.url), 1
        own: list[dict[str, Any]] = []
        while items := _page(sandbox.api, page):
            own += items
            page += 1
        for number in range(OFFERS):
            offer = own[number % len(own)]
            again = number // len(own)
            way.offers.append({**offer, "dataCenter": f"{offer['dataCenter']}-{again}"} if again else offer)
        with scripted(way) as url:
            yield url


def _page(api: httpx.Client, page: int) -> list[dict[str, Any]]:
    answer = api.get("/api/v1/availability/gpus", params={"page": page, "page_size": 100})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def open_launcher() -> str:
    """The report."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS, chromium
    from tests.browser.server import jupyterlab_server

    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        jupyterlab_server(Path(folder) / "jupyterlab") as lab,
        many_offers() as url,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        opened = [_first_offers(browser, lab, number) for number in range(PAGES)]
        filtered = _filtered(browser, lab, url)
        browser.close()
    return (
        f"open_launcher: from Ctrl-Enter to the first offers on screen, the sandbox inside the kernel, "
        f"{PAGES} new pages\n  {_said(opened)}\n"
        f"from the last key to the table that a filter leaves of {OFFERS:,} offers, {FILTERS} times\n"
        f"  {_said(filtered)}"
    )


def _said(times_ms: list[float]) -> str:
    return (
        f"median {statistics.median(times_ms):,.0f} ms, from {min(times_ms):,.0f} to {max(times_ms):,.0f} ms"
    )


@contextmanager
def _page_of(browser: Browser, lab: JupyterLab, name: str, environment: dict[str, str]) -> Iterator[LabPage]:
    from tests.browser.lab_page import LIGHT, LabPage

    context = browser.new_context(viewport={"width": 1280, "height": 1200}, reduced_motion="reduce")
    page = LabPage(context.new_page(), lab, LIGHT)
    page.open_notebook(lab.add_notebook(name, [_CONNECT, _OPEN], environment))
    page.run_cell(0)
    yield page
    context.close()
    lab.shut_down_kernels()


def _first_offers(browser: Browser, lab: JupyterLab, number: int) -> float:
    with _page_of(browser, lab, f"open-{number}", {}) as page:
        page.page.evaluate(_FIRST_OFFERS)
        page.run_cell(1, wait=False)
        page.page.wait_for_function("window.shown")
        took: float = page.page.evaluate("shown - began")
        return took


def _filtered(browser: Browser, lab: JupyterLab, url: str) -> list[float]:
    # The last key of each changes the table.
    words = ("a40", "l4", "l40", "a100", "b3")
    took = []
    with _page_of(browser, lab, "filter", {"PRIMEPODS_SANDBOX_URL": url}) as page:
        page.run_cell(1)
        control = page.page.get_by_label("GPU type", exact=True)
        page.page.locator(".primepods-table option").first.wait_for(state="attached")
        page.page.locator(".primepods-launcher").get_by_text("Your wallet").wait_for()
        page.page.evaluate(_FILTERED)
        for number in range(FILTERS):
            control.fill("v100" if number % 2 else "t4")
            page.page.wait_for_function("window.changed > window.typed")
            control.fill("")
            page.page.wait_for_function("window.changed > window.typed")
            control.press_sequentially(words[number % len(words)], delay=60)
            page.page.wait_for_function("window.changed > window.typed")
            # Whether more follows.
            page.page.wait_for_timeout(300)
            took.append(float(page.page.evaluate("changed - typed")))
    return took
