"""Money is written one way in every place: amounts to the cent, rates by the hour."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.errors import WaitTimedOut
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.api.text.money import format_estimate, format_money, format_usd, format_usd_hr
from primepods_magic.costs import plot_budget, plot_shares, waste
from primepods_magic.frames import offers_frame, pods_frame
from primepods_magic.frames.rendering import read_sheet, sheet_html, sheet_text
from primepods_magic.notebook.display.pod import card_text
from primepods_magic.notebook.launcher.state.formatting import format_wallet
from primepods_magic.notebook.launcher.view.offer_table import format_table
from primepods_magic.notebook.progress.rows import format_pod
from primepods_magic.pods.account.overview import WalletState
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.connection.last_seen import greeting, note_seen
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.offers import quote
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.pods.watching.snapshot import Estimate
from tests.notebook.launcher.offers import listed, offer
from tests.support.sandbox_control import SandboxControl

NOW = datetime(2026, 9, 14, 8, 0, tzinfo=timezone.utc)
SPACE = "\N{NO-BREAK SPACE}"
AMOUNTS = [0.035, 0.006971, 2.39, 1234.5]


def test_formats_amounts_and_rates() -> None:
    assert [format_usd(amount) for amount in AMOUNTS] == ["$0.04", "< $0.01", "$2.39", "$1,234.50"]
    assert [format_usd_hr(rate) for rate in (*AMOUNTS[:2], 0)] == ["$0.04/h", "< $0.01/h", "$0.00/h"]
    assert [format_usd(amount) for amount in (-3, -0.004, 0.01, 1e-9)] == [
        "-$3.00", "> -$0.01", "$0.01", "< $0.01",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA, "2.39"])
def test_formats_a_missing_amount_as_a_dash(missing: object) -> None:
    assert {format_money(missing, "EUR"), format_usd(missing), format_usd_hr(missing)} == {"–"}


def test_formats_a_hostile_currency_safely() -> None:
    assert format_money(2, "\x1b[31m<script>") == "2.00 �[31M<S…"
    assert format_money(2, " usd ") == "$2.00"


def _pod(usd: float | None, **more: Any) -> PodDetails:
    return PodDetails(
        name="train", id="p1", status="ACTIVE", price_hr=usd, created_at=NOW - timedelta(hours=1), **more
    )


def _held(usd: float | None) -> Pod:
    connection: Any = SimpleNamespace(now=lambda: NOW, label="sandbox", is_sandbox=True)
    return Pod(connection, _pod(usd))


def _wallet(usd: float | None) -> WalletState:
    return WalletState("mine", None, 1, 1, 0, usd or 0.0, 0.0, usd, usd, usd)


def _row(usd: float | None) -> Any:
    return format_pod(_pod(usd), NOW, Estimate(cost_usd=usd))


def _quote(usd: float) -> str:
    spec = spec_from_mapping({"gpu": "L4_24GB"})
    return str(quote(Offer(gpu_type="L4_24GB", prices={"onDemand": usd, "currency": "USD"}), spec))


def _greet(usd: float) -> str:
    note_seen("me", 1, usd, is_sandbox=False)
    return greeting() or ""


def _sheets(frame: pd.DataFrame, kind: str) -> list[str]:
    sheet = read_sheet(frame, kind, None, None, list(frame.columns))
    return [sheet_text(sheet), unescape(sheet_html(sheet)).replace("<span>$</span>", "$")]


def _titles(figure: Any) -> str:
    return " ".join(text.get_text() for text in (figure._suptitle, *figure.axes[0].texts)).replace(r"\$", "$")


PLACES: dict[str, tuple[Callable[[float], str], Callable[[float], list[str]]]] = {
    "card": (
        lambda usd: card_text(_held(usd)),
        lambda usd: [f"{format_usd_hr(usd)}, {format_usd(usd * 24)}/day", format_estimate(usd)],
    ),
    "pod": (lambda usd: str(_held(usd)), lambda usd: [format_usd_hr(usd)]),
    "progress": (
        lambda usd: f"{_row(usd).price} {_row(usd).cost}",
        lambda usd: [f"{format_usd_hr(usd)} {format_estimate(usd)}"],
    ),
    "quote": (_quote, lambda usd: [f": {format_usd_hr(usd)}, {format_usd(usd * 24)}/day"]),
    "burn": (_greet, lambda usd: [f": {format_usd_hr(usd)}."]),
    "launcher wallet": (
        lambda usd: format_wallet(_wallet(usd)),
        lambda usd: [
            f"{format_usd_hr(usd)} now",
            f" {format_usd(usd)} this month",
            f" {format_usd(usd)} left",
        ],
    ),
    "launcher offers": (
        lambda usd: format_table(listed(offer(usd))).lines[0].replace(SPACE, " "),
        lambda usd: [f" {format_usd(usd)} "],
    ),
    "shares": (
        lambda usd: _titles(plot_shares(pd.DataFrame({"gpu": ["L4"], "cost_usd": [usd]}))),
        lambda usd: [f": {format_usd(usd)}", f" {format_money(usd)}"],
    ),
    "budget": (
        lambda usd: _titles(
            plot_budget(pd.DataFrame({"period": [pd.Timestamp(NOW)], "cost_usd": [usd]}), usd, "D")
        ),
        lambda usd: [f": {format_usd(usd)}, budget {format_usd(usd)}", f"budget {format_usd(usd)}"],
    ),
}


@pytest.mark.parametrize("usd", AMOUNTS)
@pytest.mark.parametrize("place", PLACES)
def test_writes_money_in_the_same_way_everywhere(place: str, usd: float, home: Path) -> None:
    shown, expected = PLACES[place]
    text = shown(usd)
    assert [part for part in expected(usd) if part not in text] == []


@pytest.mark.parametrize("usd", [*AMOUNTS, None])
def test_writes_money_in_tables(usd: float | None) -> None:
    offers = offers_frame([Offer(prices={"onDemand": usd, "currency": "EUR"})])
    for text in _sheets(pods_frame([_pod(usd)]), "pods"):
        assert format_money(usd) in text
    for text in _sheets(offers, "offers"):
        assert format_money(usd, "EUR") in text


def test_keeps_the_digits_of_the_price_of_one_gb() -> None:
    frame = pd.DataFrame({"disk_price_usd_gb_hr": pd.array([0.000121, None], dtype="Float64")})
    for text in _sheets(frame, "mine"):
        assert "0.000121" in text
        assert "–" in text


def test_writes_no_price_where_there_is_none(home: Path) -> None:
    assert "$" not in card_text(_held(None))
    assert (_row(None).price, _row(None).cost) == ("", "")
    assert "$" not in str(_held(None))
    assert format_wallet(_wallet(None)) == "Your wallet: $0.00/h now"


@pytest.mark.parametrize("usd", AMOUNTS)
def test_writes_the_rate_of_a_stopped_pod(usd: float) -> None:
    history = pd.DataFrame({"billed_usd": [], "created_at": [], "terminated_at": []})
    pods = pods_frame([_pod(2.0).model_copy(update={"status": "STOPPED", "stopped_price_hr": usd})])
    assert waste(history, pods=pods, now=NOW)["detail"].tolist() == [f"{format_usd_hr(usd)} while stopped"]


@pytest.mark.parametrize("usd", [0.035, 0.006971])
def test_writes_the_rate_that_goes_on_after_a_wait(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, usd: float
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    connection = connect(sandbox=True)
    pod = launch(gpu="L4_24GB", name="train", connection=connection)
    order = {"event": "reprice", "price_usd_hr": usd}
    sandbox.api.post(f"/sandbox/pods/{pod.id}/events", json=order).raise_for_status()
    with pytest.raises(WaitTimedOut) as caught:
        pod.wait(timeout_s=3)
    disconnect()
    assert f"({format_usd_hr(usd)})" in str(caught.value)
