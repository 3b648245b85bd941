"""Offers are aligned in columns, even with hostile text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.models import Offer
from primepods_magic.notebook.launcher.view.offer_table import format_table

from .offers import listed, offer

SPACE = "\N{NO-BREAK SPACE}"
TITLES = [
    "GPUs",
    "$/h",
    "$/GPU/h",
    "vCPUs",
    "mem GB",
    "disk GB",
    "stock",
    "start",
    "provider",
    "location",
    "kind",
]
ODD = [
    "",
    "x" * 500,
    "two\nlines",
    "\x1b[31mred\x1b[0m",
    "<b>bold</b>",
    "a \t b",
    "\u202eevil",
    "Zürich",
    SPACE * 9,
]
ALL = {
    "memory": {"defaultCount": 64},
    "vcpu": {"defaultCount": 16},
    "disk": {"defaultCount": 120},
    "provisioningTime": 5,
}


def test_words_begin_and_numbers_end_where_their_title_does() -> None:
    rows = listed(
        offer(12345.678, gpuCount=8, provider="a-long-provider", **ALL),
        offer(0.0125, gpuType="RTX_PRO_6000B_96GB", cloudId="c-2", isSpot=True, provisioningTime=15),
        offer(2.5, cloudId="c-3", security="community_cloud", stockStatus=None, country=None),
    )
    shown = format_table(rows)
    for title in TITLES:
        start = shown.head.index(title.replace(" ", SPACE))
        end = start + len(title)
        for line in shown.lines:
            padded = line.ljust(len(shown.head), SPACE)
            if title in ("GPUs", "stock", "provider", "location", "kind"):
                assert padded[start] != SPACE
                assert start == 0 or padded[start - 2 : start] == SPACE * 2
            else:
                assert padded[end - 1] != SPACE
                assert padded[end : end + 2] == SPACE * 2


def test_a_line_says_what_the_offer_is() -> None:
    (line,) = format_table(listed(offer(5.0, gpuCount=2, isSpot=True, **ALL))).lines
    said = "2 × L4_24GB|$5.00|$2.50|16|64|120|High|5 min|p|NORWAY-1, NO|PCIe, spot"
    assert re.split(f"{SPACE}{{2,}}", line) == said.replace(" ", SPACE).split("|")


def test_what_is_missing_is_a_dash() -> None:
    (line,) = format_table(listed(offer(stockStatus=None, dataCenter=None, country=None))).lines
    assert re.split(f"{SPACE}{{2,}}", line)[3:10] == ["–", "–", "–", "–", "–", "p", "–"]


@pytest.mark.parametrize(
    ("usd", "said"),
    [(0.05, "$0.05"), (0.0014, f"<{SPACE}$0.01"), (0.1, "$0.10"), (1234.5, "$1,234.50")],
)
def test_a_price_is_written_as_money(usd: float, said: str) -> None:
    (line,) = format_table(listed(offer(usd))).lines
    assert re.split(f"{SPACE}{{2,}}", line)[1] == said


def test_without_offers_there_is_a_head() -> None:
    shown = format_table([])
    assert shown.lines == ()
    assert [title.replace(SPACE, " ") for title in re.split(f"{SPACE}{{2}}", shown.head)] == TITLES


words = st.one_of(st.none(), st.sampled_from(ODD), st.text(max_size=40))
# What is blank, or says that it is missing, describes no machine.
telling = words.filter(lambda word: Offer.model_validate({"provider": word}).provider is not None)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "gpuType": telling,
                "provider": telling,
                "socket": telling,
                "dataCenter": words,
                "country": words,
                "stockStatus": words.filter(
                    lambda word: Offer.model_validate({"stockStatus": word}).in_stock
                ),
                "security": words,
            }
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_hostile_service_moves_no_column_and_breaks_no_line(said: list[dict[str, Any]]) -> None:
    rows = listed(*(offer(cloudId=f"c-{number}", **one) for number, one in enumerate(said)))
    shown = format_table(rows)
    assert len(shown.lines) == len(said)
    (provider, location) = (shown.head.index(title) for title in ("provider", "location"))
    for line in (shown.head, *shown.lines):
        assert line == line.rstrip()
        assert not set(line) & set(" \t\n\r\x0b\x0c\x1b\u2028\u2029\u202e")
        assert len(line) < 250
        padded = line.ljust(len(shown.head), SPACE)
        assert padded[provider - 2 : provider] == padded[location - 2 : location] == SPACE * 2
