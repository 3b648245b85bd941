"""Bars that have ended are described, whatever a pod says about what is in its boxes."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.notebook.cells import finished_bars
from primepods_magic.notebook.cells.finished_bars import FinishedBars

WIDGET = "application/vnd.jupyter.widget-view+json"


def open_model(bars: FinishedBars, comm_id: str, name: str, **state: Any) -> None:
    bars.note("comm_open", {"comm_id": comm_id, "data": {"state": {"_model_name": name, **state}}})


def show_model(bars: FinishedBars, comm_id: str) -> dict[str, Any]:
    content = {"data": {WIDGET: {"model_id": comm_id}}}
    bars.note("display_data", content)
    return content


def test_a_box_of_a_bar_and_its_texts_is_one_line() -> None:
    bars = FinishedBars()
    open_model(bars, "t", "HTMLModel", value="100%")
    open_model(bars, "b", "FloatProgressModel", value=3, max=3)
    open_model(bars, "a", "HBoxModel", children=["IPY_MODEL_t", "IPY_MODEL_b"])
    assert show_model(bars, "a")["transient"] == {"display_id": "bars-a"}
    assert list(bars.describe()) == []
    bars.note("comm_msg", {"comm_id": "b", "data": {"state": {"bar_style": "success"}}})
    assert list(bars.describe()) == [("bars-a", {"text/plain": "100%|██████████|"})]
    bars.note("comm_close", {"comm_id": "a"})
    assert list(bars.describe()) == [("bars-a", {"text/plain": "", "text/html": "<span></span>"})]


@pytest.mark.parametrize("inner", ["e", "a"])
def test_boxes_in_boxes_end_after_a_few_steps(monkeypatch: pytest.MonkeyPatch, inner: str) -> None:
    visits = []
    monkeypatch.setattr(finished_bars, "_BOXES", CountingNames(finished_bars._BOXES, visits))
    bars = FinishedBars()
    open_model(bars, "e", "HBoxModel", children=[])
    for box, child in (("c", inner), ("b", "c"), ("a", "b")):
        open_model(bars, box, "HBoxModel", children=[f"IPY_MODEL_{child}"] * 3000)
    show_model(bars, "a")
    assert list(bars.describe()) == []
    assert 0 < len(visits) <= 200


class CountingNames(tuple[str, ...]):
    """Names that count how often one is looked up."""

    visits: list[object]

    def __new__(cls, names: tuple[str, ...], visits: list[object]) -> CountingNames:
        self = super().__new__(cls, names)
        self.visits = visits
        return self

    def __contains__(self, name: object) -> bool:
        self.visits.append(name)
        assert len(self.visits) < 10_000
        return super().__contains__(name)


def test_odd_states_are_no_bars_that_have_ended() -> None:
    bars = FinishedBars()
    open_model(bars, "b", "FloatProgressModel", bar_style=["success"], value="x", max=[1])
    open_model(bars, "t", "HTMLModel", value={"a": 1})
    open_model(bars, "a", "HBoxModel", children=[{"x": 1}, None, 7])
    open_model(bars, "n", "HBoxModel", children=5)
    for model in "btan":
        show_model(bars, model)
    bars.note("comm_msg", {"comm_id": "c1", "data": "a text, as other libraries send"})
    bars.note("comm_msg", {"comm_id": "b", "data": [1]})
    bars.note("comm_msg", {"comm_id": "t" * 1000, "data": {"state": {}}})
    assert list(bars.describe()) == []


def test_only_what_is_used_of_a_state_is_kept() -> None:
    bars = FinishedBars()
    open_model(bars, "t", "HTMLModel", value="x" * 1_000_000, other="y" * 1_000_000)
    open_model(bars, "a", "HBoxModel", children=["z" * 1_000_000] * 300)
    assert len(repr(bars._states)) < 100_000
