"""The commands in a browser: what Tab offers, and how their answers look in both themes."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.accessibility import serious_findings
from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick

CONNECT = "%load_ext primepods_magic\n%pods connect --sandbox"
SHOWN = [
    CONNECT,
    "%%pod_create --wait\nname: worker\ngpu: L4_24GB\npods: 2",
    "%pods",
    "%pods ls",
    "%pods show worker-1",
    "%pods avail --gpu H100_80GB --count 8",
    "%pods ssh worker-1 --config",
    "%pods disks",
    "%pods wallet --limit 4",
    "%pods teams",
    "%pods doctor",
    "%pods show worker-3",
    "%pods history --since 21d",
    "%pods costs --by gpu --freq W --since 2026-06 --plot",
    "%pods costs last-month --by provisioned_by --plot",
    "%pods costs waste",
    "%pods cache",
    "%pods rm worker-1 worker-2",
    "%pods -h",
]
ASSERTED = (0, 1, 2, 4, 11, 12, 13, 15)


def test_tab_completes_in_a_notebook(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    cells = [
        CONNECT,
        "%pod_create --gpu L4_24GB --name train",
        "df = %pods sh",
        "%%pod_create\nname: x\nprov",
    ]
    page.open_notebook(jupyterlab.add_notebook("tab", cells, {"PRIMEPODS_SANDBOX_URL": sandbox.url}))
    page.run_cell(0)
    page.run_cell(1)
    offered = page.page.locator(".jp-Completer-item")

    page.cell(2).locator(".cm-content").click()
    page.page.keyboard.press("Control+End")
    page.page.keyboard.press("Tab")
    expect(offered.locator(".jp-Completer-match")).to_have_text(["show"])
    page.page.keyboard.press("Enter")
    expect(page.cell(2).locator(".cm-content")).to_have_text("df = %pods show")
    page.page.keyboard.type(" ")
    page.page.keyboard.press("Tab")
    # JupyterLab itself adds words of the cell below.
    expect(offered.locator(".jp-Completer-match").first).to_have_text("train")
    page.screenshot("tab-pods")
    page.page.keyboard.press("Enter")
    expect(page.cell(2).locator(".cm-content")).to_have_text("df = %pods show train")

    page.cell(3).locator(".cm-content").click()
    page.page.keyboard.press("Control+End")
    page.page.keyboard.press("Tab")
    expect(offered.locator(".jp-Completer-match").first).to_have_text("provider: ")
    page.page.keyboard.press("Enter")
    expect(page.cell(3).locator(".cm-content")).to_contain_text("provider: ")
    page.page.keyboard.press("Tab")
    expect(offered.filter(has_text="hyperstack")).to_be_visible()
    page.screenshot("tab-values")


def test_every_answer_can_be_looked_at(
    running_sandbox: SandboxControl,
    jupyterlab: JupyterLab,
    lab_page: Callable[[str], LabPage],
) -> None:
    page = lab_page(DARK)
    page.open_notebook(
        jupyterlab.add_notebook("commands", SHOWN, {"PRIMEPODS_SANDBOX_URL": running_sandbox.url})
    )
    for number in pick(ASSERTED, range(len(SHOWN))):
        page.run_cell(number)
        page.cell(number).scroll_into_view_if_needed()
        page.screenshot(f"command-{number:02}", page.cell(number))
    expect(page.output_of(2).locator("table")).to_contain_text("hours_left")
    expect(page.output_of(11)).to_contain_text("NotFound")
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.output_of(4).get_by_role("button", name="Copy ssh").click()
    expect(page.output_of(4)).to_contain_text("Copied")
    assert page.page.evaluate("navigator.clipboard.readText()").startswith("ssh ")
    picture = page.output_of(13).locator("img")
    # Twice as many points as it is wide, so that it is sharp.
    assert picture.evaluate("image => image.naturalWidth / image.width") == 2
    # What JupyterLab makes of a picture has no words for those who do not see it; the table after it has.
    for number in (12, 15):
        page.cell(number).evaluate("cell => cell.classList.add('looked-at')")
    for theme in page.show_in_each_theme():
        assert serious_findings(page.page, ".looked-at .jp-OutputArea-output") == [], theme
