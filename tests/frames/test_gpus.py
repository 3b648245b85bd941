"""The frame of GPU types, against the offers that it summarizes."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import Offer
from primepods_magic.frames import gpus_frame
from primepods_magic.frames.listing import list_gpus, list_offers
from primepods_magic.pods.connection.current import connect, disconnect
from tests.frames import examples
from tests.support.sandbox_control import SandboxControl


def make_offer(price: float, **more: Any) -> Offer:
    fields = {"gpu_type": "L4_24GB", "gpu_count": 1, "provider": f"at-{price}", **more}
    return Offer(prices={"onDemand": price, "currency": more.pop("currency", "USD")}, **fields)


def test_counts_only_offers_that_can_be_rented() -> None:
    frame = gpus_frame(
        [
            make_offer(2.0, gpu_count=4),
            make_offer(0.9),
            make_offer(0.1, stock_status="Out of Stock"),
            make_offer(0.1, is_spot=True),
            make_offer(0.1, is_spot="perhaps"),
            make_offer(0.1, currency="EUR"),
            make_offer(0.1, gpu_count=None),
            make_offer(0.1, gpu_type=None),
            make_offer(0.1, gpu_type="A10_24GB", stock_status="none"),
            Offer(gpu_type="L4_24GB", gpu_count=1),
        ]
    )
    assert frame["gpu"].tolist() == ["L4_24GB", "A10_24GB"]
    first, last = frame.to_dict("records")
    assert first == {
        "gpu": "L4_24GB",
        "gpu_memory_gb": 24.0,
        "cheapest_usd_gpu_hr": 0.5,
        "cheapest_provider": "at-2.0",
        "offers": 2,
        "gpu_counts": "1, 4",
        "usd_gb_vram": pytest.approx(0.5 / 24),
        "providers": "at-0.9, at-2.0",
    }
    assert last["offers"] == 0
    assert frame["cheapest_usd_gpu_hr"].isna().tolist() == [False, True]


def test_the_memory_of_a_machine_is_not_taken_for_that_of_a_gpu() -> None:
    frame = gpus_frame([make_offer(8.0, gpu_type="GB200", gpu_count=4, gpu_memory=768)])
    assert frame["gpu_memory_gb"].tolist() == [192.0]


def test_dtypes_do_not_depend_on_the_offers() -> None:
    assert gpus_frame(examples.offers()).dtypes.astype(str).tolist() == (
        gpus_frame([]).dtypes.astype(str).tolist()
    )


def test_a_list_of_gpus_is_that_of_the_offers(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    connect(sandbox=True)
    try:
        gpus, offers = list_gpus(min_vram_gb=48), list_offers(min_vram_gb=48)
        with pytest.raises(InvalidRequest, match="no GPU type"):
            list_gpus(gpu="NOPE")
    finally:
        disconnect()
    rentable = offers[(offers["stock"] != "Unavailable") & (offers["currency"] == "USD")]
    rentable = rentable[rentable["price_hr"].notna()]
    assert set(gpus["gpu"]) == set(offers["gpu"])
    found = gpus.set_index("gpu")
    cheapest = rentable.groupby("gpu")["price_gpu_hr"].min()
    assert found.loc[cheapest.index, "cheapest_usd_gpu_hr"].tolist() == cheapest.tolist()
    assert (
        found.loc[cheapest.index, "offers"].tolist()
        == rentable["gpu"].value_counts()[cheapest.index].tolist()
    )
    assert gpus["cheapest_usd_gpu_hr"].dropna().is_monotonic_increasing
