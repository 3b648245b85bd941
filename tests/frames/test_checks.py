"""Findings of the doctor on the screen: problems first, advice in full, what is fine in one line."""

from __future__ import annotations

import pandas as pd

from primepods_magic.frames import checks_frame
from primepods_magic.frames.rendering import read_sheet, sheet_html, sheet_text
from primepods_magic.pods.doctor import Finding

ADVICE = "run 'pip install --upgrade ipywidgets' " + "and then reload the page " * 8 + "in the browser"
FRAME = checks_frame(
    [
        Finding("python", "ok", "Python 3.11"),
        Finding("progress <b>bars", "warning", "too old", ADVICE),
        Finding("key", "problem", "is not accepted"),
        Finding("proxy", "ok", "none", "look here " * 30),
    ]
)


def shown(frame: pd.DataFrame = FRAME, *, is_unfolded: bool = False) -> tuple[str, str]:
    caption, names = "1 problem · 1 warning", list(frame.columns)
    table = read_sheet(frame, "checks", caption, None, names, is_unfolded=is_unfolded)
    return sheet_text(table), sheet_html(table)


def test_puts_problems_first_and_folds_what_is_fine() -> None:
    text, html = shown()
    assert (
        text.index("PROBLEM  key") < text.index("WARNING  progress <b>bars") < text.index("2 checks passed")
    )
    assert "2 checks passed: python, proxy." in text
    assert "Python 3.11" not in text
    folded = html.index("<details style")
    assert html.index("is not accepted") < html.index("too old") < folded < html.index("Python 3.11")
    assert "progress &lt;b&gt;bars" in html


def test_shows_everything_on_request() -> None:
    text, html = shown(is_unfolded=True)
    assert "ok  python: Python 3.11" in text
    assert "<details open" in html


def test_cuts_no_advice_and_fits_80_columns() -> None:
    for is_unfolded in (False, True):
        text, html = shown(is_unfolded=is_unfolded)
        assert ADVICE in " ".join(text.replace("│", " ").split())
        assert ADVICE in html.replace("&#x27;", "'")
        assert "nowrap" not in html
        assert "ellipsis" not in html
        assert max(map(len, text.splitlines())) <= 80


def test_leaves_commands_whole() -> None:
    command = "chmod 600 " + " ".join(f"~/.prime/environments/a-long-name-{n}.json" for n in range(5))
    text, _ = shown(checks_frame([Finding("files", "warning", "others can read them", command)]))
    assert set(command.split()) <= set(text.split())
    assert "passed" not in text
