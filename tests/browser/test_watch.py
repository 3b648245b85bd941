"""`%pods watch` in a browser: the truth about every pod, for everybody, and after a reload or a restart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import nbformat
from playwright.sync_api import Browser, expect

from tests.browser import bars
from tests.browser.accessibility import serious_findings
from tests.browser.bars import moves_on, percent
from tests.browser.lab_page import DARK, LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

WORKERS, TUNING, WATCH, LATE = range(1, 5)
CELLS = [
    bars.CONNECT,
    "%pod_create --gpu L4_24GB --pods 2 --name worker -o workers;",
    "%pod_create --cloud-id td-RTX4090x1 --name tuning -o tuning;",
    "%pods watch",
    "%pod_create --gpu H100_80GB --name late -o late;",
]
# A poll that sees the end first would show an estimate: the bill comes with what the button verifies.
POLL_LAST = "%config PodsMagics.poll_interval_s = 3600\n%pods wait train -o _"
OURS = ".jp-OutputArea-output:has([data-pod])"


def test_the_truth_is_shown_of_every_pod(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(DARK)
    page.page.set_viewport_size({"width": 1280, "height": 1500})
    page.open_notebook(jupyterlab.add_notebook("watch", CELLS, {"PRIMEPODS_SANDBOX_URL": sandbox.url}))
    for number in range(WATCH + 1):
        page.run_cell(number)
    shown = page.output_of(WATCH)
    sandbox.advance(5)
    expect(shown).to_contain_text("3 installing")
    moves_on(shown.locator("[data-pod='tuning']:visible"), sandbox)
    page.screenshot("watch-installing")
    assert serious_findings(page.page, OURS) == []

    page.run_cell(LATE)
    sandbox.advance(8)
    expect(shown).to_contain_text("1 installing, 2 ready, 1 failed")
    expect(shown).to_contain_text("NVIDIA driver")

    sandbox.api.put("/sandbox/faults", json=[{"fault": "503_before", "path": "/pods*"}]).raise_for_status()
    expect(shown).to_contain_text("Not up to date since")
    page.screenshot("watch-trouble")
    # Every color is here: of bars that move, are full and have failed, and of the warning.
    for theme in page.show_in_each_theme():
        assert serious_findings(page.page, OURS) == [], theme
    sandbox.api.put("/sandbox/faults", json=[]).raise_for_status()
    expect(shown).not_to_contain_text("Not up to date since")

    reclaimed = next(
        pod for pod in sandbox.api.get("/api/v1/pods").json()["data"] if pod["name"] == "worker-1"
    )
    sandbox.event(reclaimed["id"], "reclaim")
    expect(shown).to_contain_text("1 ended")
    page.page.get_by_role("button", name="Stop watching").click()
    expect(shown).to_contain_text("as of 08:00 UTC")
    expect(shown.locator(".widget-vbox")).to_have_count(0)
    page.screenshot("watch-stopped")
    assert serious_findings(page.page, OURS) == []
    assert page.errors == []


def test_bars_survive_run_all_a_reload_of_the_page_and_a_restart(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    before = jupyterlab.server_log.read_text()
    cells = [*CELLS[: WATCH + 1], "print('done')"]
    path = jupyterlab.add_notebook("run-all-bars", cells, {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    page.open_notebook(path)
    # The clock of the sandbox stands still: waiting for a pod would never end.
    page.run_all()
    expect(page.output_of(len(cells) - 1)).to_have_text("done")
    bar = page.output_of(WATCH).locator("[data-pod='worker-1']:visible")
    sandbox.advance(bars.UNTIL_ACTIVE)
    moves_on(bar, sandbox)
    page.save()
    page.open_notebook(path)
    expect(bar).to_be_visible()
    assert moves_on(bar, sandbox) < 100
    # The same cell once more: one display under it, in the place of the one before.
    page.run_cell(WATCH)
    expect(bar).to_have_count(1)
    moves_on(bar, sandbox)
    page.restart_kernel()
    page.run_all()
    moves_on(bar, sandbox)
    sandbox.advance(bars.UNTIL_COMPLETE)
    eventually(lambda: percent(bar) == 100, "the bar is full")
    expect(bar).to_have_count(1)
    assert page.errors == []
    log = jupyterlab.server_log.read_text()[len(before) :]
    # Anything a kernel says of the package as it ends would be a complaint.
    assert "primepods_magic" not in log
    assert "Fatal Python error" not in log


def test_a_bar_without_its_kernel_says_that_the_pod_is_still_billed(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    path = jupyterlab.add_notebook(
        "restarted", [bars.CONNECT, bars.CREATE], {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    )
    page.open_notebook(path)
    for number in range(2):
        page.run_cell(number)
    sandbox.advance(bars.UNTIL_ACTIVE)
    moves_on(page.bar("train"), sandbox)
    sentence = page.page.get_by_text("pod train was still running in the sandbox, where nothing is billed")
    expect(sentence).to_be_hidden()
    page.restart_kernel()
    expect(sentence).to_be_visible()
    expect(
        page.page.locator(".jupyter-widgets-disconnected:visible, button:visible", has_text="Terminate")
    ).to_have_count(0)
    page.screenshot("bar-restarted", page.cell(1))
    page.save()
    page.open_notebook(path)
    expect(sentence).to_be_visible()
    expect(page.page.get_by_text("Error displaying widget")).to_be_hidden()
    expect(page.bar("train")).to_have_count(1)


def test_a_pod_is_terminated_by_its_bar_after_a_question(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(DARK)
    path = jupyterlab.add_notebook(
        "buttons", [bars.CONNECT, bars.CREATE, POLL_LAST], {"PRIMEPODS_SANDBOX_URL": sandbox.url}
    )
    page.open_notebook(path)
    for number in range(2):
        page.run_cell(number)
    sandbox.advance(bars.UNTIL_ACTIVE + bars.UNTIL_COMPLETE)
    shown = page.output_of(1)
    expect(shown.get_by_text("ready", exact=True).first).to_be_visible()
    page.run_cell(2)
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy ssh").click()
    expect(shown.get_by_text("Copied")).to_be_visible()
    assert page.page.evaluate("navigator.clipboard.readText()").startswith("ssh root@")
    shown.get_by_role("button", name="Show logs").click()
    expect(shown.get_by_role("region", name="Logs of train")).to_contain_text("install: 100% ready")
    assert serious_findings(page.page, OURS) == []

    ask, yes = (
        shown.get_by_role("button", name=name, exact=True) for name in ("Terminate …", "Terminate it")
    )
    ask.dblclick()
    expect(shown.get_by_text("Terminate train? The data on it will be lost.")).to_be_visible()
    page.screenshot("bar-asks", page.cell(1))
    shown.get_by_role("button", name="Keep it").click()
    expect(yes).to_be_hidden()
    assert sandbox.api.get("/api/v1/pods").json()["data"]
    ask.click()
    yes.dblclick()
    expect(shown.get_by_text("terminated", exact=True)).to_be_visible()
    expect(shown.get_by_role("button")).to_have_count(0)
    assert sandbox.api.get("/api/v1/pods").json()["data"] == []
    expect(shown).to_contain_text(re.compile(r"\$0\.01 billed"))
    page.screenshot("bar-ended", page.cell(1))
    page.save()
    saved = nbformat.read(jupyterlab.folder / path, 4).cells[1].outputs
    (text,) = [output.data["text/plain"] for output in saved if "terminated" in str(output)]
    assert "train  terminated · " in text
    assert " billed" in text
    assert page.errors == []


def test_what_was_saved_shows_the_last_state_without_javascript(
    running_sandbox: SandboxControl,
    jupyterlab: JupyterLab,
    lab_page: Callable[[str], LabPage],
    browser: Browser,
) -> None:
    page = lab_page(LIGHT)
    path = jupyterlab.add_notebook(
        "converted", CELLS[: TUNING + 1], {"PRIMEPODS_SANDBOX_URL": running_sandbox.url}
    )
    page.open_notebook(path)
    page.run_all()
    expect(page.output_of(WORKERS)).to_contain_text("2 ready", timeout=60_000)
    expect(page.output_of(TUNING)).to_contain_text("failed at 60 %", timeout=60_000)
    for number in (WORKERS, TUNING):
        expect(page.output_of(number)).to_contain_text("as of ")
    page.save()
    saved = nbformat.read(jupyterlab.folder / path, 4)
    texts = [output.data["text/plain"] for output in saved.cells[WORKERS].outputs if "data" in output]
    assert any(text.startswith("worker-1  ready  ssh ") for text in texts)
    assert not any("VBox" in text or "HTML(" in text for text in texts)
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", path]
    subprocess.run(convert, cwd=jupyterlab.folder, check=True, timeout=120)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1100, "height": 900})
    context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    try:
        reader = context.new_page()
        reader.goto((jupyterlab.folder / path).with_suffix(".html").as_uri())
        for said in ("2 ready", "installation failed at 60 %", "NVIDIA driver", "ssh root@"):
            expect(reader.get_by_text(said).first).to_be_visible()
    finally:
        context.close()


def test_a_person_elsewhere_is_notified_once(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    page.page.add_init_script(
        "window.told = []; window.Notification = class { constructor(text) { told.push(text) } };"
        "Notification.permission = 'default';"
        "Notification.requestPermission = () => { Notification.permission = 'granted' }"
    )
    create = "%%pod_create --notify\nname: train\ngpu: H100_80GB"
    path = jupyterlab.add_notebook("notify", [bars.CONNECT, create], {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    page.open_notebook(path)
    for number in range(2):
        page.run_cell(number)
    sandbox.advance(bars.UNTIL_ACTIVE + bars.UNTIL_COMPLETE)
    eventually(lambda: page.page.evaluate("told") == ["train is ready"], "the page notifies")
    (pod,) = sandbox.api.get("/api/v1/pods").json()["data"]
    sandbox.event(pod["id"], "reclaim")
    eventually(
        lambda: page.page.evaluate("told") == ["train is ready", "train is terminated"],
        "the page notifies again",
    )
    page.save()
    assert "Notification" not in (jupyterlab.folder / path).read_text()
    assert page.errors == []
