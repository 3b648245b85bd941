"""Plots can be read: contrast in both themes, alternative texts, colors that mean one thing, no overlaps."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic.costs.breakdowns import breakdown
from primepods_magic.costs.plots import plot, plot_budget, plot_shares
from primepods_magic.costs.plots.colors import DARK_FILTER, LIMIT, OTHER, PALETTE, PAPER, TEXT

from .test_plots import ledger_of, month_of, png_of, prices_of, texts


def _channels(color: str) -> np.ndarray:
    return np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def _invert(color: str) -> np.ndarray:
    """The color as browsers show it with the filter for dark themes."""
    (amount,) = re.findall(r"^invert\((.*?)\) hue-rotate\(180deg\)$", DARK_FILTER)
    inverted = float(amount) - (2 * float(amount) - 1) * _channels(color)
    half_turn = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])
    return np.clip(half_turn @ inverted, 0, 1)


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ weights for c in (one, other)]
    return float((max(linear) + 0.05) / (min(linear) + 0.05))


@pytest.mark.parametrize("shown", [_channels, _invert], ids=["light", "dark"])
def test_words_and_colors_stand_out_in_both_themes(shown: Callable[[str], np.ndarray]) -> None:
    paper = shown(PAPER)
    assert _contrast(shown(TEXT), paper) >= 4.5
    assert len(set(PALETTE)) >= 8
    for color in (*PALETTE, OTHER, LIMIT):
        assert _contrast(shown(color), paper) >= 3, color


def test_dark_themes_get_dark_paper() -> None:
    assert _contrast(_invert(PAPER), _channels("#111111")) < 1.05


def test_a_picture_has_an_alternative_text() -> None:
    frame = pd.DataFrame({"gpu": ["A", '<b>"&'], "cost_usd": [3.0, 1.0]})
    data, about = plot_shares(frame)._repr_mimebundle_()
    words = 'Cost by GPU: $4.00. A $3.00, <b>"& $1.00'
    assert about["image/png"]["alt"] == words
    ((alt, picture),) = re.findall(
        r'<img [^>]*alt="([^"]*)"[^>]* src="data:image/png;base64,([^"]*)">', data["text/html"]
    )
    assert unescape(alt) == words
    assert base64.b64decode(picture) == data["image/png"]


def test_the_same_thing_has_the_same_color_in_all_plots() -> None:
    from matplotlib.colors import to_hex

    def color_of(figure: Any) -> dict[str, str]:
        patches = figure.axes[0].patches
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        return dict(zip(names, (to_hex(patch.get_facecolor()) for patch in patches), strict=True))

    one = color_of(plot_shares(pd.DataFrame({"name": list("pqrs"), "cost_usd": [4.0, 3.0, 2.0, 1.0]})))
    other = color_of(plot_shares(pd.DataFrame({"name": list("tsrq"), "cost_usd": [4.0, 3.0, 2.0, 1.0]})))
    assert len({*one.values()}) == len({*other.values()}) == 4
    assert {name: other[name] for name in "qrs"} == {name: one[name] for name in "qrs"}
    many = color_of(plot_shares(pd.DataFrame({"name": list("abcdefghijkl"), "cost_usd": range(12, 0, -1)})))
    assert len({many[name] for name in "abcdefgh"}) == 8
    assert {many[name] for name in "ijkl"} == {OTHER}


def test_disks_are_called_disks() -> None:
    frame = pd.DataFrame({"gpu": ["A", None, None], "cost_usd": [3.0, 2.0, 1.0], "pods": [1, 0, 2]})
    assert {"A", "disk", "no gpu"} <= set(texts(plot_shares(frame)))


def test_all_words_have_the_colour_of_words() -> None:
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    for figure in (plot(ledger_of(3)), plot(prices_of(3)), plot(breakdown(ledger_of(3), "gpu", freq="D"))):
        png_of(figure)
        assert {to_hex(text.get_color()) for text in figure.findobj(Text) if text.get_text()} == {TEXT}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """The words that are put on paper, and where: a figure knows of more, and is laid out before."""
    from matplotlib.backends.backend_agg import RendererAgg

    seen: dict[int, Any] = {}
    draw = RendererAgg.draw_text

    def watched(renderer: RendererAgg, *args: Any, mtext: Any = None, **kwargs: Any) -> None:
        if mtext is not None:  # of several lines it is not told
            seen[id(mtext)] = (mtext.get_text(), mtext.get_window_extent(renderer))
        draw(renderer, *args, mtext=mtext, **kwargs)

    monkeypatch.setattr(RendererAgg, "draw_text", watched)
    return seen


def test_words_do_not_cover_one_another(drawn: dict[int, Any]) -> None:
    for figure in (
        plot(ledger_of(40)),
        plot(month_of(9)),
        plot(prices_of(16)),
        plot(breakdown(ledger_of(300), ("gpu", "name"), freq="D")),
        plot(breakdown(ledger_of(300), "name")),
        plot_budget(breakdown(ledger_of(30), freq="D"), 50),
    ):
        drawn.clear()
        png_of(figure)
        boxes = list(drawn.values())
        assert len(boxes) > 5
        width, height = 200 * figure.get_size_inches()
        for place, (words, box) in enumerate(boxes):
            assert box.x0 >= 0 <= box.y0, words
            assert box.x1 <= width, words
            assert box.y1 <= height, words
            covered = [
                other
                for other, its in boxes[place + 1 :]
                if box.shrunk(0.9, 0.9).overlaps(its.shrunk(0.9, 0.9))
            ]
            assert not covered, (words, covered)
