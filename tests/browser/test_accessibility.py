"""The help with accessibility itself: it sees what is wrong, there where it is asked to look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.browser.accessibility import serious_findings

PAGE = """<!DOCTYPE html><html lang="en"><title>A page</title><body style="background: white">
<main id="bad">
  <p id="pale" style="color: #aaa">hardly to be seen</p>
  <p style="color: black; background: linear-gradient(black, white)">somewhere to be seen</p>
  <div role="progressbar" aria-valuenow="40" style="width: 9em; height: 1em; background: navy"></div>
  <button></button>
</main>
<section id="good">
  <p style="color: #444">well to be seen</p>
  <div role="progressbar" aria-label="train" aria-valuenow="40" style="width: 9em; height: 1em"></div>
  <button>Stop</button>
</section>
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_content(PAGE)
    yield page
    context.close()


def test_each_thing_that_is_wrong_is_found(page: Page) -> None:
    found = serious_findings(page, "#bad")
    assert sorted(line.partition(":")[0] for line in found) == [
        "critical button-name",
        "serious aria-progressbar-name",
        "serious color-contrast",
        "serious color-contrast",
    ]
    pale = next(line for line in found if "pale" in line)
    assert "contrast of 2.32" in pale
    assert "4.5:1" in pale
    assert "hardly to be seen" in pale
    assert any("gradient" in line for line in found)


def test_what_is_well_is_not_found_fault_with(page: Page) -> None:
    assert serious_findings(page, "#good") == []


def test_a_selector_that_matches_nothing_is_an_error(page: Page) -> None:
    with pytest.raises(Error, match="No elements found"):
        serious_findings(page, "#absent")
