"""Tables of 100 offers and 400 pods as HTML and as text, against pandas; and the size of each output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd

from benchmarks.harness import Contestant, report, run, timed
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.frames import offers_frame, pods_frame
from primepods_magic.notebook.display.frames import mark_for_display, read_marked


def _list_offers(count: int) -> Iterator[Offer]:
    for number in range(count):
        gpus = 1 << number % 4
        yield Offer.model_validate(
            {
                "cloudId": f"gpu-H100x{number}",
                "gpuType": ("H100_80GB", "A100_80GB", "RTX_PRO_6000B_96GB")[number % 3],
                "gpuCount": gpus,
                "provider": ("runpod", "massedcompute", "hyperstack")[number % 3],
                "region": ("united_states", "eu_north")[number % 2],
                "country": "US",
                "dataCenter": f"US-EAST-{number % 7}",
                "socket": "SXM5",
                "security": "secure_cloud",
                "stockStatus": ("High", "Medium", "Low")[number % 3],
                "prices": {"onDemand": 2.39 * gpus, "currency": "USD"},
                "vcpu": {"defaultCount": 16 * gpus},
                "memory": {"defaultCount": 128 * gpus},
                "disk": {"defaultCount": 200 * gpus},
            }
        )


def _list_pods(count: int) -> Iterator[PodDetails]:
    for number in range(count):
        yield PodDetails.model_validate(
            {
                "id": f"{number:032x}",
                "name": f"train-{number}",
                "status": "ACTIVE",
                "installationStatus": "COMPLETE",
                "gpuName": "H100_80GB",
                "gpuCount": 8,
                "priceHr": 19.12,
                "providerType": "runpod",
                "sshConnection": f"root@198.51.100.{number % 250} -p 38{number % 100:03}",
                "createdAt": "2026-09-14T08:00:31Z",
            }
        )


def render_tables() -> str:
    """Report the sizes, and the times of one run."""
    frames = {"offers": offers_frame(_list_offers(100)), "pods": pods_frame(_list_pods(400))}
    return "\n\n".join(_report_kind(kind, frame) for kind, frame in frames.items())


def _report_kind(kind: str, frame: pd.DataFrame) -> str:
    from primepods_magic.frames.rendering import sheet_html, sheet_text
    from primepods_magic.notebook.display.formatters import MAX_HTML_ROWS

    mark_for_display(frame, kind=kind, caption="sandbox")

    def read(max_rows: int | None = None) -> object:
        table = read_marked(frame, max_rows)
        assert table is not None
        return table

    ways: dict[str, Callable[[], str]] = {
        "pandas, HTML": lambda: str(frame._repr_html_()),  # type: ignore[operator]
        "ours, HTML": lambda: sheet_html(read(MAX_HTML_ROWS)),  # type: ignore[arg-type]
        "pandas, text": lambda: repr(frame),
        "ours, text": lambda: sheet_text(read()),  # type: ignore[arg-type]
    }

    @contextmanager
    def contest() -> Iterator[dict[str, Contestant]]:
        yield {name: timed(way) for name, way in ways.items()}

    sizes = ", ".join(f"{name} {len(way().encode()) / 1000:.1f} kB" for name, way in ways.items())
    return f"{report(f'render {len(frame)} {kind}', run(contest, 15))}\n  {sizes}"
