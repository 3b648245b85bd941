"""Tables by mouse and keyboard: sorted, filtered and paged where scripts run, and whole where they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import serious_findings
from tests.browser.lab_page import LIGHT, LabPage
from tests.browser.server import JupyterLab
from tests.support.sandbox_control import SandboxControl

CELLS = ["%load_ext primepods_magic\n%pods connect --sandbox", "%pods avail", "%pods wallet --limit 8"]
OFFERS, WALLET = 1, 2


def column(table: Locator, heading: str) -> list[str]:
    """The cells of a column, from top to bottom."""
    heads = [text.split("\n")[0] for text in table.locator("th").all_inner_texts()]
    return table.locator(f"tbody td:nth-child({heads.index(heading) + 1})").all_inner_texts()


def sort_by(table: Locator, heading: str) -> None:
    table.get_by_role("button", name=heading, exact=True).click()


def prices(table: Locator) -> list[float]:
    return [float(text.lstrip("$")) for text in column(table, "price_hr")]


def test_tables_are_sorted_filtered_and_paged(
    sandbox: SandboxControl, jupyterlab: JupyterLab, lab_page: Callable[[str], LabPage]
) -> None:
    page = lab_page(LIGHT)
    path = jupyterlab.add_notebook("tables", CELLS, {"PRIMEPODS_SANDBOX_URL": sandbox.url})
    page.open_notebook(path)
    page.run_all()
    offers, wallet = page.output_of(OFFERS), page.output_of(WALLET)
    rows, count = offers.locator("tbody tr"), offers.locator("[aria-live]")
    expect(rows).to_have_count(20)
    expect(count).to_contain_text("of 139 rows)")
    part = count.inner_text().partition(" of ")[2]
    whole = int(part.partition(" ")[0])
    assert whole > 50

    # The first click sorts upward, the second downward, the third not at all.
    cheapest = prices(offers)
    sort_by(offers, "price_hr")
    assert prices(offers) == sorted(cheapest)
    expect(offers.locator("th[aria-sort=ascending]")).to_have_text("price_hr")
    sort_by(offers, "price_hr")
    dearest = prices(offers)
    assert dearest == sorted(dearest, reverse=True)
    assert dearest[0] > cheapest[-1]
    sort_by(offers, "stock")
    assert set(column(offers, "stock")) <= {"Available", "High"}
    expect(offers.locator("th[aria-sort]")).to_have_count(1)
    sort_by(offers, "stock")
    sort_by(offers, "stock")
    assert prices(offers) == cheapest

    offers.get_by_role("button", name="Next page").click()
    expect(count).to_have_text(f"21–40 of {part}")
    field = offers.get_by_role("searchbox", name="Filter rows")
    field.fill("RUNPOD h")
    expect(count).not_to_contain_text(f" of {whole} ")
    assert set(column(offers, "provider")) == {"runpod"}
    # These letters would delete the cell, and Enter would open it.
    field.fill("")
    field.press_sequentially("ddxq")
    expect(count).to_have_text(f"no rows match (first {whole} of 139 rows)")
    expect(page.page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(CELLS))
    field.fill("")
    offers.get_by_role("button", name="gpu_count", exact=True).press("Enter")
    assert set(column(offers, "gpu_count")) == {"1"}
    expect(page.page.locator(".jp-Notebook.jp-mod-editMode")).to_have_count(0)

    # A short table is sorted, and needs no pages.
    expect(wallet.get_by_role("searchbox")).to_have_count(0)
    sort_by(wallet, "amount_usd")
    amounts = [float(text) for text in column(wallet, "amount_usd")]
    assert amounts == sorted(amounts)
    for theme in page.show_in_each_theme():
        assert serious_findings(page.page, ".primepods") == [], theme

    # Another view of the same output has its own state.
    page.cell(OFFERS).locator(".cm-content").click()
    page.page.evaluate("window.jupyterapp.commands.execute('notebook:create-output-view')")
    view = page.page.locator(".jp-LinkedOutputView")
    expect(view.locator("[aria-live]")).to_have_text(f"1–20 of {part}")
    sort_by(view, "price_hr")
    sort_by(view, "price_hr")
    assert prices(view) == dearest
    assert set(column(offers, "gpu_count")) == {"1"}
    assert page.errors == []
    page.cell(OFFERS).locator(".cm-content").click()
    page.save()
    check_saved(page, jupyterlab, path, whole)


def check_saved(page: LabPage, jupyterlab: JupyterLab, path: str, whole: int) -> None:
    """The saved notebook works again; untrusted, and as a page, it has the same rows."""
    page.open_notebook(path)
    offers = page.output_of(OFFERS)
    expect(offers.locator("[aria-live]")).to_contain_text(f"1–20 of {whole} (first")
    sort_by(offers, "gpu")
    expect(offers.locator("th[aria-sort=ascending]")).to_have_text("gpu")

    notebook = nbformat.read(jupyterlab.folder / path, as_version=4)
    # Nobody has signed this one.
    notebook.cells[0].source += "\n# changed"
    nbformat.write(notebook, jupyterlab.folder / "untrusted.ipynb")
    page.open_notebook("untrusted.ipynb")
    plain = page.output_of(OFFERS)
    expect(plain.locator("tbody tr")).to_have_count(whole)
    expect(plain.get_by_role("button")).to_have_count(0)
    expect(page.page.get_by_text("inline scripts")).to_have_count(0)

    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    check_page(page.page, jupyterlab.folder / "page.html", body, whole)


def check_page(page: Page, file: Path, body: str, whole: int) -> None:
    assert not re.search(r"<script[^>]* src=", body)
    file.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    page.goto(f"file://{file}")
    offers = page.locator(".primepods").first
    expect(offers.locator("[aria-live]")).to_contain_text(f"1–20 of {whole} (first")
    sort_by(offers, "price_hr")
    sort_by(offers, "price_hr")
    found = prices(offers)
    assert found == sorted(found, reverse=True)
