"""The clock of the guard on this computer: one clock that is wrong moves no deadline."""

from __future__ import annotations

import time

import pytest

from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import open_connection
from primepods_magic.remote.guards.clock import GuardClock
from tests.remote.agent.test_guard_parts import POD, serve


@pytest.mark.parametrize("ahead_s", [-3 * 3600.0, 3 * 3600.0])
def test_a_guard_that_starts_while_the_clock_here_is_wrong_believes_the_service(ahead_s: float) -> None:
    with serve(ahead_s=ahead_s) as (url, _):
        connection = open_connection(Settings(url, "key-of-this-test"))
        connection.client.get_pod(POD)
        clock = GuardClock(connection)
        assert clock.now().timestamp() == pytest.approx(time.time() + ahead_s, abs=3)
        connection.close()


def test_a_service_whose_clock_jumps_later_is_not_believed() -> None:
    ahead_s = [0.0]
    with serve(ahead_s=ahead_s) as (url, _):
        connection = open_connection(Settings(url, "key-of-this-test"))
        clock = GuardClock(connection)
        for jump_s in (0.0, 86_400.0, -86_400.0):
            ahead_s[0] = jump_s
            connection.client.get_pod(POD)
            assert connection.now().timestamp() == pytest.approx(time.time() + jump_s, abs=3)
            assert clock.now().timestamp() == pytest.approx(time.time(), abs=3)
        connection.close()
