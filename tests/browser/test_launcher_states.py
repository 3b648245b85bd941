"""The launcher where something failed or may not be, and by the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.launcher import LauncherPart, opened
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import READ_KEY, SandboxControl

LAUNCHER = 1
READ_ONLY = (
    "%load_ext primepods_magic\nimport os\nfrom primepods_magic import Launcher, Settings, connect\n"
    f"connect(settings=Settings(os.environ['PRIMEPODS_SANDBOX_URL'], '{READ_KEY}'));"
)
_NAME_OF_FOCUS = """() => { const one = document.activeElement;
  return (one.labels && one.labels[0] || one).innerText || one.getAttribute("aria-label") || ""; }"""


def test_what_failed_and_what_a_key_may_not_do_is_said(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    cells = [bars.CONNECT, "%pods launcher", READ_ONLY, "Launcher()"]
    page = opened(lab_page(DARK), jupyterlab, "failed", cells, sandbox)
    page.run_cell(LAUNCHER)
    part = LauncherPart(page, LAUNCHER)
    part.until_offers()
    part.field("Provider").select_option("tensordock")
    part.field("GPU type").fill("RTX4090")
    expect(part.offers.locator("option").first).to_contain_text("RTX4090_24GB")
    part.choose(0)
    part.says("$/h", within=5)
    part.field("Name").fill("tuning")
    part.button("Review and launch …").click()
    part.root.get_by_role("button", name="Launch for").click()
    part.says("Launched 'tuning'")
    sandbox.advance(30)
    part.says("installation failed")
    part.says("NVIDIA driver")
    part.says("The pod 'tuning' has failed")
    part.pictures("failed", in_both_themes=True)

    page.run_cell(2)
    page.run_cell(3)
    part = LauncherPart(page, 3)
    part.until_offers()
    part.says("this key is read-only")
    part.choose(0)
    part.says("It cannot launch or terminate pods")
    expect(part.button("Review and launch …")).to_be_disabled()
    expect(part.button("Terminate …")).to_be_disabled()
    part.pictures("read-only")
    assert page.errors == []


def test_the_journey_works_by_keyboard_alone(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = opened(lab_page(LIGHT), jupyterlab, "keyboard", [bars.CONNECT, "%pods launcher"], sandbox)
    page.run_cell(LAUNCHER)
    part, keys = LauncherPart(page, LAUNCHER), page.page.keyboard
    part.until_offers()
    part.says("Ada Lovelace")

    def tab_to(name: str) -> None:
        """Go on with Tab as far as a control, as nobody without a mouse can do otherwise."""
        for _ in range(40):
            keys.press("Tab")
            if page.page.evaluate(_NAME_OF_FOCUS).strip() == name:
                return
        raise AssertionError(f"Tab does not lead to '{name}'")

    def press(name: str, key: str = "Enter") -> None:
        tab_to(name)
        keys.press(key)

    tab_to("GPU type")
    keys.type("a40")
    tab_to("Offers")
    expect(part.offers.locator("option").first).to_contain_text("A40_48GB")
    keys.press("ArrowDown")
    part.says("Configure the pod: 1 × A40_48GB")
    first = part.root.locator("h3").nth(1).inner_text()
    keys.press("ArrowDown")
    expect(part.root.locator("h3").nth(1)).not_to_have_text(first)
    tab_to("Name")
    keys.type("by-hand")
    tab_to("Image")
    keys.press("ArrowDown")
    press("Show more settings: variables, password, disks, team")
    press("Restart automatically on error", " ")
    expect(part.button("Review and launch …")).to_be_enabled()
    press("Review and launch …")
    part.says("from launch until you terminate it")
    # The button is gone that had the focus; what comes after it is next, and costs nothing.
    expect(part.button("Back")).to_be_visible()
    keys.press("Tab")
    expect(part.button("Back")).to_be_focused()
    keys.press("Tab")
    expect(part.root.get_by_role("button", name="Launch for")).to_be_focused()
    keys.press("Enter")
    part.says("Launched 'by-hand'")
    sandbox.advance(30)
    part.says("@198.51.100.")
    press("Show logs", " ")
    part.says("install: 100% ready")
    press("Terminate …")
    part.says("Terminate by-hand? The data on it will be lost.")
    expect(part.button("Cancel")).to_be_visible()
    keys.press("Tab")
    expect(part.button("Cancel")).to_be_focused()
    press("Terminate it")
    part.says("by-hand: terminated")
    expect(page.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    assert page.errors == []
