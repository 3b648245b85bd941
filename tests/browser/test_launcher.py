"""The launcher in a browser: the whole journey by clicking and typing, and the states on the way."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser import bars
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.launcher import LauncherPart, opened, pods_of
from tests.browser.server import JupyterLab
from tests.support import soak
from tests.support.sandbox_control import SandboxControl

SECRET, PASSWORD = "hf_Zq8Wm2Tk5Xc9Vb4", "correct-horse-battery"
LAUNCHER, TO_CELL, CELL = range(1, 4)
# Less than a line may be below the box, for its padding.
_SHOWS_ITS_END = """box => box.firstElementChild.getBoundingClientRect().bottom
  <= box.getBoundingClientRect().bottom + 8"""
CELLS = [bars.CONNECT, "%pods launcher", "%pods launcher --cell"]


def test_a_pod_is_found_configured_launched_watched_and_ended(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = opened(lab_page(LIGHT), jupyterlab, "journey", CELLS, sandbox)
    sandbox.api.put(
        "/sandbox/faults", json=[{"fault": "latency", "path": "/availability/gpus", "seconds": 3}]
    )
    page.run_cell(LAUNCHER)
    part = LauncherPart(page, LAUNCHER)
    part.says("Loading offers")
    part.pictures("loading")
    sandbox.api.put("/sandbox/faults", json=[]).raise_for_status()
    part.until_offers()
    part.says("Ada Lovelace")
    part.says("125 offers, cheapest first")
    part.says("No running pods")
    part.pictures("offers")

    part.field("GPU type").fill("h10O")
    part.says("No offers for 'h10O' now (did you mean 'H100'?)")
    part.field("GPU type").fill("h100")
    part.field("GPUs").select_option("1")
    part.field("Max $/h").fill("1")
    part.says("No offers match these filters now")
    part.pictures("empty")
    part.field("Max $/h").fill("2.70")
    part.field("Region or country").fill("us")
    expect(part.offers.locator("option")).to_have_count(2)
    part.choose(1)
    part.says("at primecompute (us-west-2, US)")

    more = part.root.get_by_role("button", name="Show more settings")
    before = more.bounding_box()
    part.field("Name").fill("train")
    part.field("Disk (GB)").fill("205")
    part.field("Disk (GB)").blur()
    part.says("disk goes in steps of 10")
    # Else a click on the button could be lost as the field is left.
    assert more.bounding_box() == before
    more.click()
    part.field("Environment variable").fill("2ND")
    part.says("do not begin with a digit")
    expect(part.button("Review and launch …")).to_be_disabled()
    # Check both themes in the states whose colors carry a meaning.
    part.pictures("invalid", in_both_themes=soak.SOAK)

    part.field("Disk (GB)").fill("210")
    part.field("Environment variable").fill("HF_TOKEN")
    part.field("Value").fill(SECRET)
    part.field("Value").press("Enter")
    expect(part.field("Value")).to_have_value("")
    part.says("HF_TOKEN = •••••")
    part.field("Jupyter password").fill(PASSWORD)
    part.field("Jupyter password").blur()
    expect(part.field("Jupyter password")).to_have_value("")
    part.button("Review and launch …").click()
    part.says("$2.45/h, $58.83/day from launch until you terminate it")
    part.pictures("summary", in_both_themes=True)

    page.page.set_viewport_size({"width": 1280, "height": 860})
    part.button("Launch for $2.45/h").dblclick()
    part.says("Launched 'train' at $2.45/h")
    expect(page.bar("train").first).to_be_in_viewport()
    sandbox.advance(bars.UNTIL_ACTIVE)
    bars.moves_on(page.bar("train").first, sandbox)
    part.pictures("installing")
    sandbox.advance(bars.UNTIL_COMPLETE)
    part.says("@198.51.100.")
    part.button("Show logs").click()
    part.says("install: 100% ready")
    logs = part.root.get_by_role("region", name="Logs of train")
    assert logs.evaluate("box => [box.scrollHeight > box.clientHeight, box.scrollTop]") == [True, 0]
    expect(logs.get_by_text("install: 100% ready")).to_be_visible()
    assert logs.evaluate(_SHOWS_ITS_END), "the newest line is in sight"
    part.says("ssh ubuntu@")
    part.pictures("ready", in_both_themes=True)

    page.run_cell(TO_CELL)
    assert page.cell(CELL).locator(".cm-content").inner_text().split() == part.cell_text.split()
    page.run_cell(CELL)
    expect(page.output_of(CELL)).to_contain_text("'train' already exists. Nothing was created")
    assert [pod["name"] for pod in pods_of(sandbox)] == ["train"]

    part.button("Terminate …").click()
    part.says("Terminate train? The data on it will be lost.")
    part.button("Terminate it").click()
    part.says("train: terminated, < $0.01 billed")
    assert pods_of(sandbox) == []

    # After a 503, offers would be asked for again for 20 s.
    faults = [
        {"fault": "not_json", "path": "/availability/*"},
        {"fault": "503_before", "path": "/pods*"},
    ]
    sandbox.api.put("/sandbox/faults", json=faults).raise_for_status()
    part.button("Refresh").click()
    part.says("Could not list offers", within=60)
    part.says("Not up to date since", within=60)
    part.pictures("no-network")
    sandbox.api.put("/sandbox/faults", json=[]).raise_for_status()
    part.button("Refresh").click()
    expect(part.root).not_to_contain_text("Could not list offers", timeout=20_000)
    part.button("Close").click()
    expect(part.root).to_contain_text("primepods_magic launcher")
    expect(part.root.locator("select, button")).to_have_count(0)
    assert page.errors == []
