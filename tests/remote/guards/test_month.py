"""A month of forgotten pods: what guards save, counted in the service's own bills."""

from __future__ import annotations

import random

import pytest

from primepods_magic.pods.guards.arming import check_guards
from primepods_magic.pods.guards.records import list_records
from primepods_magic.pods.pod import Pod
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.waiting import eventually

PODS = 40
HOURS = 720
GPUS = ("L4_24GB", "A100_80GB", "H100_80GB", "L40S_48GB")


@pytest.mark.soak
def test_a_month_with_forgotten_pods(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(26)
    starts = sorted(dice.sample(range(HOURS - 100), PODS))
    pods: list[Pod] = []
    without_usd = 0.0
    for hour in range(HOURS):
        while len(pods) < PODS and starts[len(pods)] == hour:
            # Worked for some hours, then forgotten over night, or over a weekend.
            needed_hr, forgotten_hr = dice.randint(2, 10), dice.choice([0, 0, 8, 14, 14, 60])
            pod = guarded.launch(f"pod-{len(pods)}", gpu=dice.choice(GPUS), run_for=f"{needed_hr}h")
            assert pod.price_usd_hr
            without_usd += pod.price_usd_hr * (needed_hr + forgotten_hr)
            pods.append(pod)
        guarded.advance(3600)
        check_guards(guarded.connection)
    eventually(lambda: not list_records(guarded.folder), "all have ended", within=WITHIN_S)
    assert guarded.connection.client.list_all_pods() == []
    assert [guarded.count_deletions(pod) for pod in pods] == [1] * PODS
    guarded.advance(86_400)
    rows = {row.id: row for row in guarded.connection.client.pod_history(limit=100).items}
    with_usd = sum(rows[pod.id].total_billed_price or 0.0 for pod in pods)
    assert with_usd < without_usd
    with capsys.disabled():
        saved = without_usd - with_usd
        print(
            f"\na month with {PODS} pods: ${with_usd:,.2f} with guards, ${without_usd:,.2f} without, "
            f"${saved:,.2f} ({saved / without_usd:.0%}) saved"
        )
