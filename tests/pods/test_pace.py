"""How often pods are looked at: as often as set, less often when nothing changes, and less yet in trouble."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.pods.watching.backoff import PollBackoff
from tests.support.watching import Service, connected


def steady() -> PollBackoff:
    return PollBackoff(jitter=lambda: 1.0)


def test_the_interval_is_what_is_set_and_else_what_suits_the_service() -> None:
    with connected(Service(), interval_s=None) as connection:
        assert connection.interval_s() == 5.0
        connection.is_sandbox = True
        assert connection.interval_s() == 0.5
        connection.poll_interval_s = 2.0
        assert connection.interval_s() == 2.0


def test_where_nothing_changes_it_looks_less_often_up_to_half_as_often() -> None:
    backoff = steady()
    delays = []
    for _ in range(60):
        backoff.record_success(changed=False, settled=False)
        delays.append(backoff.delay_s(5.0))
    assert delays[:12] == [5.0] * 12
    assert delays == sorted(delays)
    assert delays[-1] == 10.0
    backoff.record_success(changed=True, settled=False)
    assert backoff.delay_s(5.0) == 5.0


def test_where_nothing_is_left_to_happen_it_looks_less_often_still() -> None:
    backoff = steady()
    for _ in range(200):
        backoff.record_success(changed=False, settled=True)
    assert backoff.delay_s(5.0) == 30.0
    backoff.record_success(changed=False, settled=False)
    assert backoff.delay_s(5.0) == 10.0


def test_whoever_begins_to_watch_is_not_served_at_the_pace_of_the_quiet_before() -> None:
    backoff = steady()
    for _ in range(200):
        backoff.record_success(changed=False, settled=True)
    backoff.reset()
    assert backoff.delay_s(5.0) == 5.0


def test_each_failure_doubles_the_wait_up_to_half_a_minute_and_a_good_look_ends_that() -> None:
    backoff = steady()
    delays = []
    for _ in range(6):
        backoff.record_failure()
        delays.append(backoff.delay_s(5.0))
    assert delays == [10.0, 20.0, 30.0, 30.0, 30.0, 30.0]
    backoff.record_success(changed=False, settled=False)
    assert backoff.delay_s(5.0) == 5.0
    backoff.record_failure()
    assert backoff.delay_s(5.0) == 10.0


@pytest.mark.parametrize(
    ("asks", "waits"), [(None, 10.0), (0.0, 10.0), (3.0, 10.0), (77.0, 77.0), (9e9, 300.0)]
)
def test_what_the_service_asks_for_is_waited_for_within_reason(asks: float | None, waits: float) -> None:
    backoff = steady()
    backoff.record_failure(asks)
    assert backoff.delay_s(5.0) == waits
    backoff.record_success(changed=True, settled=False)
    assert backoff.delay_s(5.0) == 5.0


def test_what_the_service_asked_for_once_is_not_waited_for_after_its_next_failure() -> None:
    backoff = steady()
    backoff.record_failure(120.0)
    backoff.record_failure()
    assert backoff.delay_s(5.0) == 20.0


def test_kernels_that_failed_together_do_not_come_back_together() -> None:
    delays = set()
    for share in (0.0, 0.25, 0.5, 1.0):
        backoff = PollBackoff(jitter=lambda share=share: share)  # type: ignore[misc]
        backoff.record_failure()
        delays.add(backoff.delay_s(8.0))
    assert delays == {12.0, 13.0, 14.0, 16.0}


LOOKS = st.lists(
    st.one_of(
        st.tuples(st.booleans(), st.booleans()),
        st.none() | st.floats(0, 1e12),
        st.just("hurry"),
    ),
    max_size=60,
)


@given(LOOKS, st.floats(0.01, 3600), st.floats(0, 1))
def test_whatever_happened_the_next_look_is_neither_at_once_nor_never(
    looks: list[object], interval: float, jitter: float
) -> None:
    backoff = PollBackoff(jitter=lambda: jitter)
    for look in looks:
        if isinstance(look, tuple):
            backoff.record_success(changed=look[0], settled=look[1])
        elif look == "hurry":
            backoff.reset()
        else:
            backoff.record_failure(look)  # type: ignore[arg-type]
    delay = backoff.delay_s(interval)
    assert 0.75 * interval <= delay <= max(6 * interval, 300.0)


def test_a_service_that_is_away_for_days_breaks_no_arithmetic() -> None:
    backoff = steady()
    for _ in range(5000):
        backoff.record_failure()
    assert backoff.delay_s(5.0) == 30.0
