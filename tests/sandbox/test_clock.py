"""How far the clock goes, and what it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest

from primepods_magic.sandbox import start
from tests.support.waiting import eventually

from .conftest import Caller

END = "9999-01-01T00:00:00.000Z"


def now(caller: Caller) -> str:
    """What the sandbox says the time is."""
    text: str = caller.get("/sandbox").json()["clock"]["now"]
    return text


@pytest.mark.parametrize("dialect", ["caller", "published"])
def test_the_clock_does_not_pass_the_end_of_time(dialect: str, request: pytest.FixtureRequest) -> None:
    caller: Caller = request.getfixturevalue(dialect)
    pod_id = caller.order()["id"]
    # Enough for eight thousand years.
    assert caller.put("/sandbox/wallet", json={"balance_usd": 1e9}).status_code == 200
    answers = [caller.post("/sandbox/clock", json={"advance_s": 3.1e9}) for _ in range(90)]
    assert {answer.status_code for answer in answers} == {200, 422}
    assert "cannot go beyond 9999-01-01" in answers[-1].text
    assert set(answers[-1].json()) == {"detail" if dialect == "caller" else "errors"}
    before = now(caller)
    assert before < END
    assert caller.post("/sandbox/clock", json={"advance_s": 3.1e9}).status_code == 422
    assert now(caller) == before
    # Up to the very end, everything goes on.
    left = datetime.fromisoformat(END.replace("Z", "+00:00")) - datetime.fromisoformat(
        before.replace("Z", "+00:00")
    )
    caller.advance(left / timedelta(seconds=1))
    assert now(caller) == END
    assert caller.call("GET", f"pods/{pod_id}")["installationProgress"] == 100
    assert caller.happen(pod_id, "reclaim").status_code == 200
    assert caller.call("GET", "pods/history", params={"limit": 1})["data"][0]["terminatedAt"] == END
    assert caller.post("/sandbox/clock", json={"advance_s": 0.001}).status_code == 422


def test_a_running_clock_stops_at_the_end_of_time() -> None:
    begin = datetime(9998, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    with start(start=begin, speed=1_000_000) as sandbox, Caller(sandbox.url) as caller:
        eventually(lambda: now(caller) == END, "the end of time", within=20)
        answer = caller.get("/api/v1/pods")
        assert parsedate_to_datetime(answer.headers["Date"]).year == 9999
        assert caller.post("/sandbox/clock", json={"advance_s": 1}).status_code == 422
        assert now(caller) == END


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "-1", "-0.001", "1e300", "1e400", "null"])
def test_the_clock_refuses_what_is_no_wait(caller: Caller, amount: str) -> None:
    before = now(caller)
    answer = caller.post(
        "/sandbox/clock",
        content=f'{{"advance_s": {amount}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "advance_s"]
    assert now(caller) == before


@pytest.mark.parametrize(
    "begin", [datetime(1, 1, 1), datetime(1969, 12, 31), datetime(9999, 1, 2), datetime.max]
)
def test_it_begins_where_dates_can_be_written(begin: datetime) -> None:
    with pytest.raises(ValueError, match="start must be between 1970-01-01 and 9999-01-01"):
        start(start=begin)


@pytest.mark.parametrize("begin", [datetime(1970, 1, 1), datetime(9999, 1, 1)])
def test_the_first_and_the_last_day_can_be_lived(begin: datetime) -> None:
    with start(start=begin, clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        caller.order()
        for path in ("pods", "pods/history?limit=1000", "billing/wallet"):
            caller.call("GET", path)
