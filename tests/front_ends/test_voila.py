"""Voila in a real browser: bars that move and a launcher that can be clicked, without a prompt or a cell."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import nbformat
import pytest

from tests.browser.bars import UNTIL_ACTIVE, moves_on
from tests.browser.conftest import FLAGS, chromium
from tests.package.environments import Environment
from tests.support.kernels import notebook_of
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

CELLS = (
    "%load_ext primepods_magic\n%pods connect --sandbox",
    "%%pod_create\nname: train\ngpu: L4_24GB",
    "%pods launcher",
)


@contextmanager
def voila(python: str, environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The address of a Voila that shows the notebook."""
    nbformat.write(notebook_of(CELLS), folder / "page.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "voila", "page.ipynb", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with (folder / "voila.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:

        def is_up() -> bool:
            assert process.poll() is None, (folder / "voila.log").read_text()
            try:
                return httpx.get(f"{url}/voila/api/shutdown", trust_env=False).status_code > 0
            except httpx.TransportError:
                return False

        eventually(is_up, "Voila answers", within=60, every=0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.soak
def test_voila_shows_bars_that_move_and_a_launcher_that_launches(
    front_ends: Environment, front_end_environment: dict[str, str], tmp_path: Path, sandbox: SandboxControl
) -> None:
    from playwright.sync_api import expect, sync_playwright

    environment = {**front_end_environment, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    with (
        voila(front_ends.python, environment, tmp_path) as url,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(20_000)
        page.goto(url, timeout=60_000)
        bar = page.locator("[role=progressbar][data-pod='train']:visible").first
        expect(bar).to_be_visible(timeout=60_000)
        sandbox.advance(UNTIL_ACTIVE)
        moves_on(bar, sandbox)

        launcher = page.locator(".primepods-launcher")
        launcher.get_by_label("Offers", exact=True).select_option(index=1)
        launcher.get_by_label("Name", exact=True).fill("clicked")
        launcher.get_by_role("button", name="Review and launch …").click()
        launcher.get_by_role("button", name="Launch for $").click()
        expect(launcher).to_contain_text("Launched 'clicked'", timeout=20_000)

        pods = sandbox.api.get("/api/v1/pods").json()["data"]
        sandbox.event(next(pod["id"] for pod in pods if pod["name"] == "train"), "reclaim")
        expect(page.locator(".primepods-bars").first).to_contain_text("terminated", timeout=20_000)
