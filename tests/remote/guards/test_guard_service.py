"""The guard process answers whatever else it is doing."""

from __future__ import annotations

import threading
from datetime import datetime, timezone

import pytest

from primepods_magic.pods.guards.process import describe_settings
from primepods_magic.remote.guards.service import GuardService
from tests.remote.guards.conftest import Guarded

RULES = {"ends_at": "2100-01-01T00:00:00Z"}
WITHIN_S = 20.0


@pytest.mark.parametrize("change", ["arm", "disarm"])
def test_a_guard_can_be_changed_while_its_pod_is_checked(guarded: Guarded, change: str) -> None:
    """A check stores what it has found; neither waits for the other forever."""
    pod = guarded.launch()
    service = GuardService(guarded.folder, describe_settings(guarded.connection.settings))
    service._do_arm(pod.id, pod.name, RULES)
    done = threading.Event()

    def store() -> None:
        while not done.is_set():
            for watch in list(service._watches.values()):
                watch.change(checked_at=datetime.now(timezone.utc))

    def change_rules() -> None:
        for _ in range(8):
            if change == "disarm":
                service._do_disarm(pod.id)
            service._do_arm(pod.id, pod.name, RULES)
        done.set()

    for work in (store, change_rules):
        threading.Thread(target=work, daemon=True).start()
    assert done.wait(WITHIN_S), "each waits for the other"
    service._connection.close()
