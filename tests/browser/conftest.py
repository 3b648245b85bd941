"""One JupyterLab server and one Chromium for all browser tests; a fresh profile and page for each."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.support import ipykernels
from tests.support.guard.loopback_guard import is_loopback

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

    from tests.browser.lab_page import LabPage
    from tests.browser.server import JupyterLab

_FAILED = pytest.StashKey[bool]()

REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Whatever the browser itself might still want to ask for has no address.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


def _missing(what: str) -> None:
    if REQUIRED:
        pytest.fail(f"REQUIRE_BROWSER=1, but {what}", pytrace=False)
    pytest.skip(what)


def chromium() -> str:
    """Where Chromium is; skips, or fails, where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    _missing("there is no Chromium on PATH")
    raise AssertionError


# Playwright leaves its event loop running in the main thread until it is stopped, where others would
# stumble over it: so no longer than the tests of this folder.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if importlib.util.find_spec("playwright") is None:
        _missing("Playwright is not installed")
    from playwright.sync_api import expect, sync_playwright

    # Other tests run beside these on the same processors.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def jupyterlab_process(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    from tests.browser.server import jupyterlab_server

    with jupyterlab_server(tmp_path_factory.mktemp("jupyterlab")) as lab:
        yield lab


@pytest.fixture
def jupyterlab(jupyterlab_process: JupyterLab) -> Iterator[JupyterLab]:
    """The server, without kernels of earlier tests; fails the test when it or a kernel left loopback."""
    yield jupyterlab_process
    jupyterlab_process.shut_down_kernels()
    log = jupyterlab_process.guard_log
    tried = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    assert not tried, f"JupyterLab or a kernel tried to leave this computer: {tried}"


# Once a session is also before a test's environment keeps pip on this computer.
@pytest.fixture(scope="session", params=ipykernels.OLDER)
def ipykernel(request: pytest.FixtureRequest) -> ipykernels.Ipykernel:
    """Each older version of ipykernel in turn, installed once; skips if it cannot be installed."""
    try:
        return ipykernels.installed(request.param)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or ""
        reason = f"ipykernel {request.param} cannot be installed: {error} {said}"
    if os.environ.get("REQUIRE_KERNELS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def open_page(
    browser: Browser, jupyterlab: JupyterLab, request: pytest.FixtureRequest
) -> Iterator[Callable[[type[LabPage], str], LabPage]]:
    """Opens a page of a fresh profile in the theme asked for; fails the test when a page left loopback."""
    left: list[str] = []
    pages: list[LabPage] = []

    def only_loopback(route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        if is_loopback(host):
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    def opened(kind: type[LabPage], theme: str) -> LabPage:
        jupyterlab.set_theme(theme)
        context = browser.new_context(
            viewport={"width": 1280, "height": 860},
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        context.route("**/*", only_loopback)
        context.set_default_timeout(30_000)
        pages.append(kind(context.new_page(), jupyterlab, theme))
        return pages[-1]

    yield opened
    for page in pages:
        if request.node.stash.get(_FAILED, False):
            page.save_screenshot(f"failed-{request.node.originalname}")
        page.page.context.close()
    assert not left, f"the page tried to leave this computer: {left}"


@pytest.fixture
def lab_page(open_page: Callable[[type[LabPage], str], LabPage]) -> Callable[[str], LabPage]:
    """Opens pages of JupyterLab."""
    from tests.browser.lab_page import LabPage

    return partial(open_page, LabPage)


@pytest.fixture
def notebook_page(open_page: Callable[[type[LabPage], str], LabPage]) -> Callable[[str], LabPage]:
    """Opens pages of Notebook 7."""
    from tests.browser.lab_page import NotebookPage

    return partial(open_page, NotebookPage)
