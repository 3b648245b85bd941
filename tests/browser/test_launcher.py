"""The launcher in a browser: the whole journey by clicking and typing, and every state that it can be in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.launcher import LauncherPart
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import READ_KEY, SandboxControl

SECRET, PASSWORD = "hf_Zq8Wm2Tk5Xc9Vb4", "correct-horse-battery"
CONNECT, LAUNCHER, TO_CELL, CELL = range(4)
CELLS = [bars.CONNECT, "%pods launcher", "%pods launcher --cell"]
READ_ONLY = (
    "%load_ext primepods_magic\nimport os\nfrom primepods_magic import Launcher, Settings, connect\n"
    f"connect(settings=Settings(os.environ['PRIMEPODS_SANDBOX_URL'], '{READ_KEY}'));"
)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_a_pod_is_found_configured_launched_watched_and_ended(
    theme: str, sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = opened(lab_page(theme), jupyterlab, "journey", CELLS, sandbox)
    sandbox.api.put(
        "/sandbox/faults", json=[{"fault": "latency", "path": "/availability/gpus", "seconds": 4}]
    )
    page.run_cell(LAUNCHER)
    part = LauncherPart(page, LAUNCHER)
    part.says("Asking for offers")
    part.pictures("loading")
    sandbox.api.put("/sandbox/faults", json=[]).raise_for_status()
    part.until_offers()
    part.says("Ada Lovelace")
    part.says("the first 50 are below and 75 more follow")
    part.says("None is live")
    part.pictures("offers")

    part.field("GPU type").fill("h10O")
    part.says("nobody offers 'h10O' now (did you mean 'H100'?)")
    part.field("GPU type").fill("h100")
    part.field("GPUs").select_option("1")
    part.field("$/h at most").fill("1")
    part.says("No offer is like that now")
    part.pictures("empty")
    part.field("$/h at most").fill("2.70")
    part.field("Region or country").fill("us")
    expect(part.offers.locator("option")).to_have_count(2)
    part.choose(1)
    part.says("at primecompute (us-west-2, US)")

    part.field("Name").fill("train")
    part.field("Disk (GB)").fill("205")
    part.root.get_by_role("button", name="More settings").click()
    part.field("Environment variable").fill("2ND")
    part.says("disk goes in steps of 10")
    part.says("does not begin with a digit")
    expect(part.button("Review and launch …")).to_be_disabled()
    part.pictures("invalid")

    part.field("Disk (GB)").fill("210")
    part.field("Environment variable").fill("HF_TOKEN")
    part.field("Its value").fill(SECRET)
    part.field("Its value").press("Enter")
    expect(part.field("Its value")).to_have_value("")
    part.says("HF_TOKEN = •••••")
    part.field("Jupyter password").fill(PASSWORD)
    part.field("Jupyter password").blur()
    expect(part.field("Jupyter password")).to_have_value("")
    part.button("Review and launch …").click()
    part.says("$2.45/h, $58.83/day from the launch until it is ended")
    part.pictures("summary")

    part.button("Launch for $2.45/h").dblclick()
    part.says("'train' is rented at $2.45/h")
    sandbox.advance(bars.UNTIL_ACTIVE)
    bars.moves_on(page.bar("train").first, sandbox)
    part.pictures("installing")
    sandbox.advance(bars.UNTIL_COMPLETE)
    part.says("COMPLETE 100 %")
    part.button("Logs").click()
    part.says("install: 100% ready")
    part.says("ssh ubuntu@")
    part.pictures("ready")

    page.run_cell(TO_CELL)
    assert page.cell(CELL).locator(".cm-content").inner_text().split() == part.cell_text.split()
    page.run_cell(CELL)
    expect(page.output_of(CELL)).to_contain_text("'train' is there already; nothing was created")
    assert [pod["name"] for pod in pods_of(sandbox)] == ["train"]

    part.button("Terminate …").click()
    part.says("End train and lose what is on it?")
    part.button("Terminate it").click()
    part.says("train: terminated, $0.0099 billed")
    assert pods_of(sandbox) == []

    sandbox.api.put("/sandbox/faults", json=[{"fault": "503_before"}]).raise_for_status()
    part.button("Refresh").click()
    part.says("The offers cannot be listed", within=60)
    part.says("Not up to date since", within=60)
    part.pictures("no-network")
    sandbox.api.put("/sandbox/faults", json=[]).raise_for_status()
    part.button("Refresh").click()
    expect(part.root).not_to_contain_text("The offers cannot be listed", timeout=20_000)
    part.button("Close").click()
    expect(part.root).to_contain_text("primepods_magic launcher")
    expect(part.root.locator("select, button")).to_have_count(0)
    assert page.errors == []


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_what_failed_and_what_a_key_may_not_do_is_said(
    theme: str, sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    cells = [bars.CONNECT, "%pods launcher", READ_ONLY, "Launcher()"]
    page = opened(lab_page(theme), jupyterlab, "failed", cells, sandbox)
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
    part.says("'tuning' is rented")
    sandbox.advance(30)
    part.says("FAILED")
    part.says("NVIDIA driver")
    part.says("the pod 'tuning' has failed")
    part.pictures("failed")

    page.run_cell(2)
    page.run_cell(3)
    part = LauncherPart(page, 3)
    part.until_offers()
    part.says("this key may only read")
    part.choose(0)
    part.says("it can neither rent nor end pods")
    expect(part.button("Review and launch …")).to_be_disabled()
    expect(part.button("Terminate …")).to_be_disabled()
    part.pictures("read-only")
    assert page.errors == []


def test_the_journey_works_by_keyboard_alone(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = opened(lab_page(LIGHT), jupyterlab, "keyboard", CELLS[: LAUNCHER + 1], sandbox)
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
    tab_to("Offers, cheapest first")
    expect(part.offers.locator("option").first).to_contain_text("A40_48GB")
    keys.press("ArrowDown")
    part.says("Configure it: 1 × A40_48GB")
    first = part.root.locator("h3").nth(1).inner_text()
    keys.press("ArrowDown")
    expect(part.root.locator("h3").nth(1)).not_to_have_text(first)
    tab_to("Name")
    keys.type("by-hand")
    tab_to("Image")
    keys.press("ArrowDown")
    press("More settings: variables, password, disks, team …")
    press("Start again after an error", " ")
    expect(part.button("Review and launch …")).to_be_enabled()
    press("Review and launch …")
    part.says("from the launch until it is ended")
    # The button is gone that had the focus; what comes after it is next, and costs nothing.
    keys.press("Tab")
    expect(part.button("Back")).to_be_focused()
    keys.press("Tab")
    expect(part.root.get_by_role("button", name="Launch for")).to_be_focused()
    keys.press("Enter")
    part.says("'by-hand' is rented")
    sandbox.advance(30)
    part.says("COMPLETE 100 %")
    press("Logs", " ")
    part.says("install: 100% ready")
    press("Terminate …")
    part.says("End by-hand and lose what is on it?")
    keys.press("Tab")
    expect(part.button("Keep it")).to_be_focused()
    press("Terminate it")
    part.says("by-hand: terminated")
    expect(page.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    assert page.errors == []


_NAME_OF_FOCUS = """() => { const one = document.activeElement;
  return (one.labels && one.labels[0] || one).innerText || one.getAttribute("aria-label") || ""; }"""


def opened(page: LabPage, lab: JupyterLab, name: str, cells: list[str], sandbox: SandboxControl) -> LabPage:
    theme = page.theme.split()[-1].lower()
    environment = {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    page.open_notebook(lab.add_notebook(f"launcher-{name}-{theme}", cells, environment))
    # Without the files beside it: the notebook has the width that the window has.
    page.page.keyboard.press("Control+b")
    page.run_cell(CONNECT)
    return page


def pods_of(sandbox: SandboxControl) -> list[dict[str, str]]:
    pods: list[dict[str, str]] = sandbox.api.get("/api/v1/pods").json()["data"]
    return pods
