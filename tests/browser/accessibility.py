"""What axe-core finds wrong with a part of a page, as lines a person can read."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_GRAVE = ("serious", "critical")
_OPTIONS = {"resultTypes": ["violations", "incomplete"]}


def serious_findings(page: Page, selector: str) -> list[str]:
    """Everything serious or critical inside what the selector matches; fails when it matches nothing.

    Where axe cannot tell whether text stands out, as above a gradient, that is a finding, too: else a
    background that it does not understand would count as a good one.
    """
    found = Axe().run(page, context=selector, options=_OPTIONS).response
    undecided = [rule for rule in found["incomplete"] if rule["id"] == "color-contrast"]
    return [
        _line(rule, node)
        for rule in (*found["violations"], *undecided)
        if rule["impact"] in _GRAVE
        for node in rule["nodes"]
    ]


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    why = "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{rule['impact']} {rule['id']}: {why} in {node['html']}"
