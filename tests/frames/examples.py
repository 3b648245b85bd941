"""Answers of the service, normal and awkward, read as the client reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from primepods_magic.api.http.parsing import read_model, read_page, read_status
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry

DATA = Path(__file__).parent.parent / "data"


def payload(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def pods() -> list[PodDetails]:
    return [
        *read_page(PodDetails, payload("02-pods-list-seed-shape")).items,
        read_model(PodDetails, payload("06-pod-multinode-lists")),
        read_model(PodDetails, payload("08-pod-unknown-enums")),
        *read_page(PodDetails, payload("10-pods-list-unicode-names")).items,
    ]


def statuses() -> list[PodStatusEntry]:
    return [
        *read_status(payload("04-status-batch-published")),
        *read_status(payload("05-status-single-object-seed")),
    ]


def history() -> list[HistoryRow]:
    return read_page(HistoryRow, payload("12-history-awkward")).items


def offers() -> list[Offer]:
    return read_page(Offer, payload("14-availability-awkward")).items
