"""Words of the service in every spelling; one that is not known is shown, and never taken for a good one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.fields.lenient_types import fold_word
from primepods_magic.api.fields.stock import Stock, read_stock
from primepods_magic.api.models import Offer, PodDetails, PodStatusEntry

READY: dict[str, Any] = {"installationStatus": "COMPLETE", "sshConnection": "root@203.0.113.7"}


def spelled(word: str) -> list[str]:
    """A word in the spellings of other services."""
    parts = word.split("_")
    return [
        word,
        word.lower(),
        f" {word} ",
        "-".join(parts).lower(),
        " ".join(parts).capitalize(),
        "".join(part.capitalize() for part in parts),
        "".join(parts).lower(),
    ]


OUT = """
    OUT_OF_STOCK UNAVAILABLE SOLD_OUT NO_STOCK NOT_AVAILABLE NOT_IN_STOCK CURRENTLY_UNAVAILABLE NONE_LEFT
    TEMPORARILY_OUT_OF_STOCK NO_CAPACITY OUT_OF_CAPACITY EXHAUSTED INSUFFICIENT_CAPACITY EMPTY
"""


@pytest.mark.parametrize("text", [spelling for word in OUT.split() for spelling in spelled(word)][:-7])
def test_sold_out_in_any_words_is_out_of_stock(text: str) -> None:
    if text not in ("noneleft", "temporarilyoutofstock", "insufficientcapacity", "currentlyunavailable"):
        assert read_stock(text) is Stock.OUT


@pytest.mark.parametrize("told", ["none", "0", 0, 0.0, "-1", False, "false", "No", "Sold out!", "OOS"])
def test_nothing_in_other_types_is_out_of_stock(told: Any) -> None:
    offer = Offer.model_validate({"stockStatus": told})
    assert (offer.stock, offer.in_stock) == (Stock.OUT, False)


@pytest.mark.parametrize("told", ["Available", "low", "MEDIUM", "High ", "In stock", 3, "12", True, None])
def test_what_is_there_is_in_stock(told: Any) -> None:
    offer = Offer.model_validate({"stockStatus": told})
    assert (offer.stock, offer.in_stock) == (Stock.THERE, True)


@pytest.mark.parametrize(
    "told",
    [
        *(
            "High, no waitlist",
            "Available (no reservation)",
            "low (not recommended)",
            "In stock, no contract",
        ),
        *("Available - not guaranteed", "In Stock - without contract", "medium, not sold out"),
    ],
)
def test_what_is_there_without_a_condition_is_in_stock(told: str) -> None:
    assert read_stock(told) is Stock.THERE


@pytest.mark.parametrize(
    "told", ["No limit", "no limits", "Not limited", "not sold out", "Not out of stock", "Not yet sold out"]
)
def test_a_negation_of_something_else_is_not_out_of_stock(told: str) -> None:
    assert read_stock(told) is Stock.UNKNOWN


@pytest.mark.parametrize(
    "told",
    [
        *("No", "not", "NO_GPUS", "no longer available", "Not in stock", "not currently available"),
        *("High demand, no stock", "Available: no", "low - not available", "Not for sale", "no H100 left"),
        *("No limit, sold out", "without stock", "no waitlist, no capacity", "Not limited but unavailable"),
    ],
)
def test_a_negation_of_stock_is_out_of_stock(told: str) -> None:
    assert read_stock(told) is Stock.OUT


@pytest.mark.parametrize(
    "told", ["Reserved", "On request", "ask sales", "缺货", [], {"available": 0}, "unlimited"]
)
def test_a_word_that_is_not_known_is_shown_and_nothing_is_sure(told: Any) -> None:
    offer = Offer.model_validate({"stockStatus": told})
    assert (offer.stock, offer.in_stock) == (Stock.UNKNOWN, True)
    assert offer.stock_status == str(told)


STATUSES = {
    "RUNNING": PodStatus.ACTIVE,
    "FAILED": PodStatus.ERROR,
    "FAILURE": PodStatus.ERROR,
    "ERRORED": PodStatus.ERROR,
    "TERMINATING": PodStatus.DELETING,
    "DELETED": PodStatus.TERMINATED,
    "DESTROYED": PodStatus.TERMINATED,
    **PodStatus.__members__,
}


@pytest.mark.parametrize("word", STATUSES)
def test_a_status_is_read_in_any_spelling(word: str) -> None:
    pods = [PodDetails.model_validate({"status": spelling}) for spelling in spelled(word)]
    assert {pod.status for pod in pods} == {STATUSES[word]}


@pytest.mark.parametrize(
    "word", ["EXITED", "PAUSED", "SUSPENDED", "ENDED", "GONE", "OFF", "MIGRATING", "RELEASED"]
)
def test_a_status_that_is_not_known_is_live_and_not_ready(word: str) -> None:
    pod = PodDetails.model_validate({**READY, "status": word, "priceHr": 2})
    assert (str(pod.status), pod.is_live, pod.is_ready, pod.is_settled) == (word, True, False, False)
    assert pod.unknown_words == (word,)


@pytest.mark.parametrize("status", ["LAUNCH_FAILED", "provisioningError", "failed to start"])
def test_a_status_that_says_failure_ends_the_waiting(status: str) -> None:
    pod = PodDetails.model_validate({"status": status})
    assert (pod.has_failed, pod.is_settled, pod.is_live, str(pod.status)) == (True, True, True, status)


@pytest.mark.parametrize("unit", ["/", "1", " of", "%", "1/"])
def test_a_very_long_progress_costs_no_time(unit: str) -> None:
    pod = PodDetails.model_validate({"status": "ACTIVE", "installationProgress": unit * 1_000_000})
    assert (pod.installation_progress, pod.is_installed) == (None, False)


INSTALLATIONS = {
    **dict.fromkeys(
        "SUCCESS SUCCEEDED DONE READY FINISHED COMPLETED INSTALLED SUCCESSFUL".split(),
        InstallationStatus.COMPLETE,
    ),
    **dict.fromkeys("FAILURE ERRORED ERROR TIMED_OUT".split(), InstallationStatus.FAILED),
    **dict.fromkeys("CANCELLED CANCELED ABORTED".split(), InstallationStatus.TERMINATED),
    **dict.fromkeys("ACTIVE RUNNING INSTALLING".split(), InstallationStatus.IN_PROGRESS),
    **InstallationStatus.__members__,
}


@pytest.mark.parametrize("word", INSTALLATIONS)
def test_an_installation_is_read_in_any_spelling(word: str) -> None:
    read = [PodDetails.model_validate({"installationStatus": spelling}) for spelling in spelled(word)]
    assert {pod.installation_status for pod in read} == {INSTALLATIONS[word]}


@pytest.mark.parametrize("told", ["VERIFYING", "QUEUED", True, ["COMPLETE"], {"state": "COMPLETE"}, 1])
def test_an_installation_that_is_not_understood_is_shown_and_not_ready(told: Any) -> None:
    pod = PodDetails.model_validate({**READY, "status": "ACTIVE", "installationStatus": told})
    assert (pod.is_ready, pod.is_settled, pod.unknown_words) == (False, False, (str(told),))


@pytest.mark.parametrize(
    ("told", "percent"),
    [
        *(("20%", 20), ("20 %", 20), ("20/100", 20), ("1 / 5", 20), ("20 of 100", 20), ("20.0 percent", 20)),
        *((" 20 ", 20), (20, 20), ("99.9%", 99.9), ("100/100", 100), ("100 %", 100), ("20%/100%", 20)),
        *(("20/100%", 20), (100, 100), ("1e2", 100), ("-5%", -5)),
    ],
)
def test_a_progress_is_read_in_any_form(told: Any, percent: float) -> None:
    raw = {**READY, "status": "ACTIVE", "installationStatus": None, "installationProgress": told}
    pod = PodDetails.model_validate(raw)
    assert pod.installation_progress == pytest.approx(percent)
    assert (pod.installation_status, pod.is_ready) == (None, percent == 100)
    fresh = PodDetails.model_validate({**READY, "status": "PROVISIONING", "installationStatus": None})
    entry = PodStatusEntry.model_validate({**raw, "podId": "p"})
    assert fresh.updated(entry).is_ready == (percent == 100)


@pytest.mark.parametrize(
    "told",
    ["almost", "20 20", "20/0", "20/x", "/", "%", {"percent": 20}, [20], True, "two thirds", "1/2/3", "100!"],
)
@pytest.mark.parametrize("status", [None, "", "N/A"])
def test_a_progress_that_cannot_be_read_is_shown_and_not_ready(told: Any, status: str | None) -> None:
    raw = {**READY, "status": "ACTIVE", "installationStatus": status, "installationProgress": told}
    pod = PodDetails.model_validate(raw)
    assert (pod.is_ready, pod.is_settled, pod.installation_progress) == (False, False, None)
    assert pod.unknown_words == (str(told),)
    fresh = PodDetails.model_validate({**READY, "status": "PROVISIONING", "installationStatus": None})
    assert not fresh.updated(PodStatusEntry.model_validate({**raw, "podId": "p"})).is_ready
    assert PodDetails.model_validate({**raw, "installationStatus": "FINISHED"}).is_ready


@pytest.mark.parametrize("told", ["", "null", "N/A", "-", None])
def test_a_progress_that_is_missing_says_nothing(told: Any) -> None:
    raw = {**READY, "status": "ACTIVE", "installationStatus": None, "installationProgress": told}
    assert PodDetails.model_validate(raw).is_ready


@pytest.mark.parametrize("told", ["install_failed", "Installation error"])
def test_an_installation_that_says_failure_has_failed(told: str) -> None:
    assert PodDetails.model_validate({"status": "ACTIVE", "installationStatus": told}).is_settled


@pytest.mark.parametrize("told", ["", "null", "N/A", None])
def test_a_word_for_nothing_is_none(told: Any) -> None:
    pod = PodDetails.model_validate({"status": told, "installationStatus": told})
    assert (pod.status, pod.installation_status) == (PodStatus.UNKNOWN, None)


@given(st.text())
def test_a_folded_word_has_no_spaces_and_no_case(text: str) -> None:
    folded = fold_word(text)
    assert folded == folded.upper()
    assert folded == "".join(folded.split())
