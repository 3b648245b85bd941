"""Plots: that they can be drawn whatever is in the frame, be read on any page, and leave nothing behind."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic import costs as public
from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.costs.breakdowns import breakdown
from primepods_magic.costs.ledgers import ledger
from primepods_magic.costs.plots import (
    plot,
    plot_budget,
    plot_month,
    plot_over_time,
    plot_prices,
    plot_shares,
    plot_timeline,
)
from primepods_magic.costs.plots.timeline import averaged, gpus_running
from tests.support.soak import pick

UTC = timezone.utc
NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
NAMES = ["$x_1$ and $y^2$", "学習ジョブ", "🚀", "n" * 300, "<b>&amp;", "مرحبا", "\x1b[31mred\n", "a $ b", ""]


def history(rows: int, days: float = 30, gpus: int = 12) -> pd.DataFrame:
    random = np.random.default_rng(7)
    lengths = pd.to_timedelta(random.lognormal(9, 1, rows).round(), unit="s")
    begins = (
        pd.Timestamp(NOW)
        - pd.to_timedelta(random.uniform(0, days * 86_400, rows).round(), unit="s")
        - lengths
    )
    counts = random.choice([1, 2, 8], rows)
    hours = counts * (lengths / pd.Timedelta(hours=1))
    return pd.DataFrame(
        {
            "id": [f"p{row}" for row in range(rows)],
            "name": [NAMES[row % len(NAMES)] for row in range(rows)],
            "gpu": [f"$GPU_{kind}$ {NAMES[kind % len(NAMES)]}" for kind in np.arange(rows) % gpus],
            "gpu_count": counts,
            "created_at": begins,
            "terminated_at": begins + lengths,
            "gpu_hours": hours,
            "billed_usd": hours * 2.5,
            "type": "Instance",
        }
    )


def ledger_of(rows: int, days: float = 30) -> pd.DataFrame:
    return ledger(history(rows, days), now=NOW)


def prices_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gpu": [f"{NAMES[row % len(NAMES)]}{row}" for row in range(rows)],
            "paid_usd_gpu_hr": pd.array(np.linspace(0.1, 5, rows), dtype="Float64"),
            "cheapest_usd_gpu_hr": pd.array(
                [None if row % 3 else 2.0 for row in range(rows)], dtype="Float64"
            ),
            "difference": pd.array([None if row % 3 else 0.25 for row in range(rows)], dtype="Float64"),
        }
    )


def month_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "wallet": pd.array([NAMES[row % len(NAMES)] for row in range(rows)], dtype="string"),
            "month_usd": pd.array([10.0 * row for row in range(rows)], dtype="Float64"),
            "month_end_usd": pd.array([20.0 * row for row in range(rows)], dtype="Float64"),
            "balance_usd": pd.array([None if row % 2 else 15.0 for row in range(rows)], dtype="Float64"),
        }
    )


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text().replace(r"\$", "$") for text in figure.findobj(Text)]


def png_of(figure: Any) -> bytes:
    png: bytes = figure._repr_mimebundle_()[0]["image/png"]
    return png


def rendered(figure: Any) -> np.ndarray:
    """The picture as numbers from 0 to 1: height × width × red, green, blue and opacity."""
    from matplotlib.image import imread

    picture: np.ndarray = imread(io.BytesIO(png_of(figure)))
    size = figure._repr_mimebundle_()[1]["image/png"]
    assert picture.shape[:2] == (2 * size["height"], 2 * size["width"])
    return picture


DRAWINGS: list[Any] = [
    pytest.param(lambda rows: plot(breakdown(ledger_of(rows), "gpu", freq="D")), id="over time"),
    pytest.param(lambda rows: plot(breakdown(ledger_of(rows, 730), "gpu", freq="D")), id="over two years"),
    pytest.param(lambda rows: plot(breakdown(ledger_of(rows), ("gpu", "name"), freq="M")), id="by two"),
    pytest.param(lambda rows: plot(breakdown(ledger_of(rows, 1), freq="H", tz="Europe/Berlin")), id="hours"),
    pytest.param(lambda rows: plot(breakdown(ledger_of(rows), "name")), id="shares"),
    pytest.param(lambda rows: plot(ledger_of(rows)), id="timeline"),
    pytest.param(lambda rows: plot_budget(breakdown(ledger_of(rows), freq="D"), 50), id="budget"),
    pytest.param(lambda rows: plot(prices_of(rows)), id="prices"),
    pytest.param(lambda rows: plot(month_of(min(rows, 30))), id="month"),
]


@pytest.mark.parametrize("rows", pick([0, 1, 10_000], [0, 1, 3, 10_000]))
@pytest.mark.parametrize("draw", DRAWINGS)
def test_everything_can_be_drawn(draw: Callable[[int], Any], rows: int) -> None:
    figure = draw(rows)
    picture = rendered(figure)
    assert picture[..., 3].min() == 1.0, "no page shines through"
    assert picture[0, 0].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert repr(figure).startswith("Figure: ")
    assert " at 0x" not in repr(figure)


def test_what_it_says_of_itself() -> None:
    frame = ledger_of(50)
    assert repr(plot_over_time(breakdown(frame, "gpu", freq="D"))) == "Figure: cost per day by GPU, 12 series"
    assert repr(plot_over_time(breakdown(frame, freq="W"))) == "Figure: cost per week"
    assert repr(plot_over_time(breakdown(frame.head(1), freq="M"), freq="M")) == "Figure: cost per month"
    assert repr(plot_shares(breakdown(frame, "gpu"))) == "Figure: cost by GPU, 12 bars"
    assert repr(plot_timeline(frame)) == "Figure: what ran when, 50 pods"
    assert repr(plot_timeline(frame.head(3))) == "Figure: what ran when, 3 pods"
    assert repr(plot_prices(prices_of(1))) == "Figure: prices of GPU-hours, 1 GPU type"
    assert repr(plot_month(month_of(2))) == "Figure: this month, 2 wallets"
    assert str(plot_month(month_of(2))) == repr(plot_month(month_of(2)))


def day_costs(*usd: float, first: str = "2026-09-01", **more: Any) -> pd.DataFrame:
    days = pd.date_range(first, periods=len(usd), freq="D", tz="UTC")
    return pd.DataFrame({"period": days, "cost_usd": pd.array(usd, dtype="Float64"), **more})


def bars(figure: Any) -> list[tuple[float, float]]:
    """Bottom and height of each bar."""
    patches = figure.axes[0].patches
    return [(patch.get_y(), patch.get_height()) for patch in patches if hasattr(patch, "get_height")]


def test_bars_stand_upon_one_another_and_credits_hang_below() -> None:
    frame = pd.concat([day_costs(5.0, 1.0), day_costs(3.0, 2.0), day_costs(-2.0)], ignore_index=True)
    frame["gpu"] = ["A", "A", "B", "B", "C"]
    assert sorted(bars(plot_over_time(frame))) == [(0, -2), (0, 1), (0, 5), (1, 2), (5, 3)]


def test_small_groups_are_taken_together() -> None:
    frame = pd.DataFrame(
        {"gpu": [f"G{n}" for n in range(20)], "cost_usd": [float(100 - n) for n in range(20)]}
    )
    frame["period"] = pd.Timestamp("2026-09-01T00:00Z")
    said = texts(plot_over_time(frame))
    assert {f"G{n}" for n in range(7)} <= set(said)
    assert "other (13)" in said
    assert "G7" not in said


def test_the_total_the_unit_and_the_time_zone_are_said() -> None:
    frame = day_costs(1000.0, 234.5)
    frame["period"] = frame["period"].dt.tz_convert("Europe/Berlin").dt.normalize()
    said = texts(plot_over_time(frame))
    assert "Cost per day: $1,234.50" in said
    assert "USD per day" in said
    assert "Europe/Berlin" in said


def test_what_has_no_date_is_in_the_total_and_is_said() -> None:
    frame = pd.concat([day_costs(10.0, 5.0), day_costs(2.0).assign(period=pd.NaT)], ignore_index=True)
    frame["period"] = pd.to_datetime(frame["period"], utc=True)
    assert "Cost per day: $17.00 ($2.00 of it without a date)" in texts(plot_over_time(frame))


def test_names_are_shown_as_they_are() -> None:
    said = texts(plot_timeline(ledger_of(3)))
    assert "$x_1$ and $y^2$" in said
    figure = plot_shares(pd.DataFrame({"a $ b $ c": ["$5 and $6"], "cost_usd": [1.0]}))
    assert repr(figure) == "Figure: cost by a $ b $ c, 1 bar"
    assert {"Cost by a $ b $ c: $1.00", "$5 and $6"} <= set(texts(figure))


def test_shares_are_hatched_where_they_are_estimated() -> None:
    figure = plot_shares(day_costs(5.0, 513.0, estimated_usd=pd.array([0.0, 25.0], dtype="Float64")))
    marked = [(patch.get_width(), patch.get_hatch()) for patch in figure.axes[0].patches]
    assert marked == [(493.0, None), (25.0, "////")]
    assert "estimated" in texts(figure)


def test_only_the_estimated_part_of_a_bar_is_hatched() -> None:
    frame = day_costs(513.72, 5.0, estimated_usd=pd.array([25.0, 0.0], dtype="Float64"))
    patches = plot_over_time(frame).axes[0].patches
    assert [(patch.get_hatch(), patch.get_y(), round(patch.get_height(), 2)) for patch in patches] == [
        (None, 0.0, 488.72),
        (None, 0.0, 5.0),
        ("////", 488.72, 25.0),
    ]


@pytest.mark.parametrize(
    ("budget", "words"),
    [(100, "budget crossed on 2026-09-02"), (60, "budget crossed on 2026-09-02"), (500, "within the budget")],
)
def test_a_budget_is_crossed_where_the_money_is_spent(budget: float, words: str) -> None:
    # 60 USD on each of three days: 100 USD are reached two thirds into the second.
    figure = plot_budget(day_costs(60.0, 60.0, 60.0), budget)
    assert repr(figure) == f"Figure: cost so far, {words}"


def test_the_crossing_is_found_within_a_day() -> None:
    figure = plot_budget(day_costs(60.0, 60.0, 60.0), 100)
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    first = (pd.Timestamp("2026-09-01") - pd.Timestamp("1970-01-01")).days
    assert mark.get_xdata()[0] == pytest.approx(first + 1 + 40 / 60)


def test_the_legend_of_the_month_has_a_balance_only_if_it_is_in_sight() -> None:
    month = month_of(4)
    assert "balance used up" in texts(plot_month(month))
    month["balance_usd"] += 1_000
    assert "balance used up" not in texts(plot_month(month))


def test_a_projection_leads_to_the_end_of_the_month() -> None:
    costs = day_costs(60.0, 60.0, 30.0)
    half_past = datetime(2026, 9, 3, 12, tzinfo=UTC)
    figure = plot_budget(costs, 500, now=half_past, burn_usd_hr=2.0)
    # 27.5 days are left.
    assert "$1,470.00\nby 2026-09-30\nat $2.00/h" in texts(figure)
    assert repr(figure) == "Figure: cost so far, budget crossed on 2026-09-10 at this rate"
    past, ahead = figure.axes[0].lines[:2]
    first = (pd.Timestamp("2026-09-01") - pd.Timestamp("1970-01-01")).days
    assert (past.get_xdata() - first).tolist() == [0, 1, 2, 2.5]
    assert (ahead.get_xdata() - first).tolist() == [2.5, 30]
    assert repr(plot_budget(costs, 5000, now=half_past, burn_usd_hr=2.0)).endswith("within the budget")
    # Without costs since, the total does not change.
    later = plot_budget(costs, 100, now=datetime(2026, 9, 20), burn_usd_hr=0.0)
    assert "$150.00\nby 2026-09-30\nat $0.00/h" in texts(later)


def test_a_lane_for_each_pod_in_the_time_looked_at() -> None:
    frame = ledger_of(0)
    assert "nothing ran" in texts(plot_timeline(frame))
    rows = history(3).assign(
        name=["first", "second", "third"],
        created_at=pd.to_datetime(["2026-09-01T00:00Z", "2026-09-02T00:00Z", "2026-09-03T00:00Z"]),
        terminated_at=pd.to_datetime(["2026-09-01T12:00Z", "2026-09-04T00:00Z", "2026-09-03T12:00Z"]),
    )
    frame = ledger(rows, now=NOW)
    figure = plot_timeline(frame, since=datetime(2026, 9, 2), until=datetime(2026, 9, 3))
    assert repr(figure) == "Figure: what ran when, 1 pod"
    (bar,) = figure.axes[0].patches
    assert bar.get_width() == pytest.approx(1.0)
    assert "second" in texts(figure)


def test_the_most_expensive_pods_have_lanes_and_the_others_are_added_up() -> None:
    frame = ledger_of(50).assign(cost_usd=np.arange(1.0, 51.0), name=[f"p{n}" for n in range(50)])
    figure = plot_timeline(frame)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(names[:-1]) == sorted(f"p{n}" for n in range(30, 50))
    assert names[-1] == "30 others"
    # Of 1 to 30 USD.
    assert "465.00" in texts(figure)
    assert len(plot_timeline(frame.tail(21)).axes[0].get_yticklabels()) == 21


def test_gpus_that_run_are_counted() -> None:
    edges, counts = gpus_running(np.array([0, 1, 1]), np.array([4, 2, 3]), np.array([8, 2, 1]))
    assert edges.tolist() == [0, 1, 2, 3, 4]
    assert counts.tolist() == [8, 11, 9, 8]
    assert averaged(edges, counts, np.array([0, 2, 4])).tolist() == [9.5, 8.5]


def test_ten_thousand_pods_are_drawn_within_a_second() -> None:
    frame = ledger_of(10_000, 730)
    png_of(plot_timeline(frame.head(100)))
    began = time.process_time()
    png_of(plot_timeline(frame))
    assert time.process_time() - began < 1


def test_frames_are_drawn_by_their_columns() -> None:
    waste = pd.DataFrame({"name": ["a"], "reason": ["never ready"], "cost_usd": [2.0]})
    assert repr(plot(waste)) == "Figure: cost by reason, 1 bar"
    assert repr(plot(history(3))) == "Figure: what ran when, 3 pods"
    with pytest.raises(InvalidRequest, match="no plot fits a frame with the columns a, b"):
        plot(pd.DataFrame({"a": [1], "b": [2]}))


@pytest.mark.parametrize(
    "draw", [plot_over_time, plot_shares, plot_timeline, plot_budget, plot_prices, plot_month]
)
def test_a_column_that_is_missing_is_named(draw: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(ValueError, match=r"^(breakdown|ledger|frame) has no column "):
        draw(pd.DataFrame({"a": [1]}))


def test_a_notebook_shows_the_picture_and_saves_the_line(bare_shell: Any) -> None:
    figure = plot_shares(pd.DataFrame({"gpu": ["A"], "cost_usd": [1.0]}))
    shown, about = bare_shell.display_formatter.format(figure)
    assert shown["text/plain"] == "Figure: cost by GPU, 1 bar"
    assert shown["image/png"].startswith(b"\x89PNG")
    assert about["image/png"]["width"] == 800


def test_without_matplotlib_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (plot, plot_over_time, plot_shares, plot_timeline, plot_budget, plot_prices, plot_month):
        with pytest.raises(
            NotConfigured, match=r"^plots need matplotlib: pip install 'primepods_magic\[plot\]'$"
        ):
            draw(day_costs(1.0))


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot() -> None:
    code = """
import sys
import pandas as pd
import primepods_magic.costs.plots as plots
assert "matplotlib" not in sys.modules
plots.plot(pd.DataFrame({"gpu": ["A"], "cost_usd": [1.0]}))._repr_mimebundle_()
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def settings() -> Iterator[Any]:
    import matplotlib as mpl

    with mpl.rc_context():
        yield mpl.rcParams


def test_no_setting_lasts_and_none_is_needed(settings: Any) -> None:
    frame = breakdown(ledger_of(3), "gpu", freq="D")
    plain = png_of(plot(frame))
    settings.update(
        {
            "text.usetex": True,
            "axes.facecolor": "black",
            "figure.facecolor": "red",
            "font.family": "monospace",
            "text.color": "white",
            "savefig.bbox": "tight",
            "timezone": "Asia/Tokyo",
        }
    )
    before = dict(settings)
    assert png_of(plot(frame)) == plain
    assert dict(settings) == before


def test_public_names() -> None:
    for name in "plot plot_budget plot_month plot_over_time plot_prices plot_shares plot_timeline".split():
        assert getattr(public, name).__name__ == name
        assert name in public.__all__
