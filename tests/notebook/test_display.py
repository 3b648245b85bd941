"""The formatters: frames of ours look like ours, and every other frame as it does without us."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from primepods_magic.api.models import PodDetails
from primepods_magic.frames import pods_frame
from primepods_magic.notebook.display import frames as display
from primepods_magic.notebook.display.formatters import register, unregister
from primepods_magic.notebook.display.frames import mark_for_display

TEXT, HTML = "text/plain", "text/html"


def formatter_of_a_front_end() -> DisplayFormatter:
    formatters = DisplayFormatter()
    formatters.active_types = list(formatters.formatters)
    return formatters


@pytest.fixture
def formatters() -> Iterator[DisplayFormatter]:
    formatters = formatter_of_a_front_end()
    register(formatters)
    yield formatters
    unregister(formatters)


def shown(formatters: DisplayFormatter, thing: Any) -> dict[str, Any]:
    data: dict[str, Any] = formatters.format(thing)[0]  # type: ignore[no-untyped-call]
    return data


def ours(name: str = "train") -> pd.DataFrame:
    return mark_for_display(
        pods_frame([PodDetails(name=name, status="ACTIVE")]), kind="pods", caption="sandbox · 1 pod"
    )


def foreign() -> list[Any]:
    class Mine(pd.DataFrame):
        def _repr_html_(self) -> str:
            return "<b>mine</b>"

    class Pretty(pd.DataFrame):
        def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
            printer.text("pretty")

    frame = pd.DataFrame({"a": [1, 2], "b": ["<x>", None]})
    indexed = frame.set_index("a")
    return [
        frame,
        frame.iloc[:0],
        indexed,
        Mine(frame),
        Pretty(frame),
        [frame, frame],
        frame["a"],
        "text",
        None,
    ]


def test_frames_of_ours_are_shown_in_our_way(formatters: DisplayFormatter) -> None:
    data = shown(formatters, ours())
    assert data[TEXT].startswith("sandbox · 1 pod\n\nname   status  gpu")
    assert "sandbox · 1 pod" in data[HTML]
    assert "ACTIVE" in data[HTML]


def test_present_gives_the_same_frame_unchanged() -> None:
    frame = pods_frame([PodDetails(name="train")])
    before = frame.copy()
    assert mark_for_display(frame, kind="pods") is frame
    assert frame.attrs == {}
    pd.testing.assert_frame_equal(frame, before)


def test_other_frames_look_exactly_as_without_us(formatters: DisplayFormatter) -> None:
    plain = formatter_of_a_front_end()
    shown(formatters, ours())
    for thing in foreign():
        assert shown(formatters, thing) == shown(plain, thing)


@pytest.mark.parametrize(
    "derive",
    [
        lambda df: df[df["status"] == "ACTIVE"],
        lambda df: df.head(1),
        lambda df: df.copy(),
        lambda df: df[["name", "status"]],
        lambda df: df.sort_values("name"),
        lambda df: pd.concat([df, df]),
    ],
)
def test_what_is_derived_from_a_frame_of_ours_is_not_ours(formatters: DisplayFormatter, derive: Any) -> None:
    derived = derive(ours())
    assert shown(formatters, derived) == shown(formatter_of_a_front_end(), derived)


def test_a_frame_that_was_reshaped_in_place_is_shown_by_pandas(formatters: DisplayFormatter) -> None:
    frame = ours()
    frame.index = pd.Index(["a"], name="letter")
    assert shown(formatters, frame) == shown(formatter_of_a_front_end(), frame)


def test_what_was_registered_before_goes_on_for_other_frames() -> None:
    formatters = formatter_of_a_front_end()
    formatters.formatters[HTML].for_type(pd.DataFrame, lambda frame: "<i>theirs</i>")
    formatters.formatters[TEXT].for_type_by_name(
        pd.DataFrame.__module__,
        "DataFrame",
        lambda frame, p, cycle: p.text("theirs"),
    )
    register(formatters)
    other = pd.DataFrame({"a": [1]})
    theirs = {HTML: "<i>theirs</i>", TEXT: "theirs"}
    assert shown(formatters, other) == theirs
    assert "sandbox" in shown(formatters, ours())[HTML]
    unregister(formatters)
    assert shown(formatters, other) == theirs
    assert shown(formatters, ours()) == theirs


@pytest.mark.parametrize("is_used", [False, True])
def test_unregistering_leaves_nothing_behind(is_used: bool) -> None:
    formatters = formatter_of_a_front_end()
    html, text = formatters.formatters[HTML], formatters.formatters[TEXT]
    before = [dict(table) for f in (html, text) for table in (f.type_printers, f.deferred_printers)]
    register(formatters)
    register(formatters)
    if is_used:
        shown(formatters, ours())
    unregister(formatters)
    unregister(formatters)
    assert [dict(table) for f in (html, text) for table in (f.type_printers, f.deferred_printers)] == before
    frame: Any = ours()
    assert shown(formatters, frame)[HTML] == frame._repr_html_()


def test_who_came_after_us_stays_and_may_still_pass_frames_on() -> None:
    formatters = formatter_of_a_front_end()
    register(formatters)
    html = formatters.formatters[HTML]
    below = html.for_type(pd.DataFrame)
    html.for_type(pd.DataFrame, lambda frame: f"<u>{below(frame)}</u>")
    assert "sandbox" in shown(formatters, ours())[HTML]
    unregister(formatters)
    frame: Any = ours()
    assert shown(formatters, frame)[HTML] == f"<u>{frame._repr_html_()}</u>"


def test_registering_again_after_unregistering_works(formatters: DisplayFormatter) -> None:
    unregister(formatters)
    register(formatters)
    assert "sandbox" in shown(formatters, ours())[TEXT]


def test_a_frame_that_is_gone_is_forgotten() -> None:
    gc.collect()
    before = len(display._marks)
    frame = ours()
    assert len(display._marks) == before + 1
    gone = weakref.ref(frame)
    del frame
    gc.collect()
    assert gone() is None
    assert len(display._marks) == before


def test_another_frame_at_the_same_address_is_not_taken_for_ours(formatters: DisplayFormatter) -> None:
    frame, other = ours(), pods_frame([PodDetails(name="other")])
    display._marks[id(other)] = display._marks[id(frame)]
    try:
        assert shown(formatters, other) == shown(formatter_of_a_front_end(), other)
    finally:
        del display._marks[id(other)]


def test_a_mark_is_not_forgotten_for_a_frame_that_was_there_before() -> None:
    first, second = ours("first"), pods_frame([PodDetails(name="second")])
    key = id(first)
    held = display._marks[key]
    # As if the second one had come to live at the address of the first before that was cleaned up.
    display._marks[key] = display._FrameInfo(weakref.ref(second), "pods", None, None, (), False)
    try:
        del first
        gc.collect()
        assert held.frame() is None
        assert display._marks[key].frame() is second
    finally:
        display._marks.pop(key)


def test_a_shell_that_is_given_up_goes_away() -> None:
    formatters = formatter_of_a_front_end()
    register(formatters)
    gone = weakref.ref(formatters)
    del formatters
    gc.collect()
    assert gone() is None


def test_marking_a_frame_again_changes_how_it_is_shown(formatters: DisplayFormatter) -> None:
    frame = mark_for_display(ours(), kind="pods", caption="live", total=7)
    text = shown(formatters, frame)[TEXT]
    assert text.startswith("live\n")
    assert "1 of 7 pods" in text


def test_a_real_shell_shows_it_and_still_answers_with_a_frame(bare_shell: Any) -> None:
    register(bare_shell.display_formatter)
    try:
        bare_shell.user_ns["df"] = ours()
        assert type(bare_shell.run("df")) is pd.DataFrame
        assert "sandbox · 1 pod" in bare_shell.output.text
        assert bare_shell.run("df.loc[0, 'name']") == "train"
    finally:
        unregister(bare_shell.display_formatter)


def test_neither_loading_nor_registering_loads_pandas() -> None:
    code = (
        "import sys\n"
        "from IPython.core.formatters import DisplayFormatter\n"
        "from primepods_magic.notebook.display.formatters import register, unregister\n"
        "formatters = DisplayFormatter()\n"
        "register(formatters); unregister(formatters); register(formatters)\n"
        "assert not {'pandas', 'pydantic', 'httpx', 'ipywidgets'} & set(sys.modules)\n"
        "from primepods_magic.frames import pods_frame\n"
        "from primepods_magic.notebook.display.frames import mark_for_display\n"
        "frame = mark_for_display(pods_frame([]), kind='pods')\n"
        "formatters.active_types = list(formatters.formatters)\n"
        "assert formatters.format(frame)[0]['text/plain'] == 'no pods'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
