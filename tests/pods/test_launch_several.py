"""Several pods at once: agreed to once, created side by side, and an exact account where some are not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch_many
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.spec.spec import PodSpec, parse_specs
from tests.pods.conftest import Through


def specs(*names: str) -> list[PodSpec]:
    return parse_specs("\n".join(f"- {{gpu: L4_24GB, name: {name}}}" for name in names))


def names(connection: Connection) -> list[str]:
    return sorted(str(pod.name) for pod in connection.client.list_all_pods())


class Creates(httpx.HTTPTransport):
    """The network to a sandbox, which answers some creates itself."""

    def __init__(self, answer: Callable[[str], httpx.Response | None]) -> None:
        super().__init__(verify=False)
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            told = self._answer(json.loads(request.read())["pod"]["name"])
            if told is not None:
                return told
        return super().handle_request(request)


def test_a_launch_in_part_is_an_exact_account(through: Through) -> None:
    def answer(name: str) -> httpx.Response | None:
        return httpx.Response(402, json={"detail": "Insufficient funds"}) if name == "b" else None

    connection = through(Creates(answer))
    with pytest.raises(errors.LaunchIncomplete) as caught:
        launch_many(specs("a", "b", "c"), connection=connection)
    assert names(connection) == ["a", "c"]
    assert [pod.name for pod in caught.value.pods] == ["a", "c"]
    assert type(caught.value.failures["b"]) is errors.PaymentRequired
    first, a, b, c = str(caught.value).splitlines()
    assert first.startswith("2 of 3 pods exist and are billed $1.38/h together. Run this again")
    ids = [pod.id for pod in caught.value.pods]
    assert [a, c] == [f"  {name}: exists ({it}, $0.69/h)" for name, it in zip("ac", ids, strict=True)]
    assert b.startswith("  b: PaymentRequired: ")


def test_they_are_created_side_by_side(through: Through) -> None:
    """Each create waits until the others are under way; one after the other, none would ever be answered."""
    together = threading.Barrier(3, timeout=20)

    def answer(_: str) -> None:
        together.wait()

    connection = through(Creates(answer))
    assert len(launch_many(specs("a", "b", "c"), connection=connection)) == 3


def test_refuses_names_that_differ_only_in_spelling(connection: Connection) -> None:
    with pytest.raises(
        errors.InvalidRequest, match=r"'r10' and 'R10' differ only in spelling.*Nothing was sent"
    ):
        launch_many(specs("r10", "R10"), connection=connection)
    assert names(connection) == []
    assert len(launch_many(specs("r10", "R10"), new=True, connection=connection)) == 2


def test_one_question_is_asked_for_all(through: Through) -> None:
    live = through(httpx.HTTPTransport(verify=False), live=True)
    asked = []
    with pytest.raises(
        errors.LaunchRefused, match=r"launch of 'a', 'b' was not confirmed\. Nothing was created"
    ):
        launch_many(specs("a", "b"), connection=live, confirm=lambda: bool(asked.append(1)))
    assert asked == [1]
    with pytest.raises(errors.LaunchRefused, match=r"L4_24GB.*; and 1 × L4_24GB.*set max_price"):
        launch_many(specs("a", "b"), connection=live)
    assert names(live) == []


def test_side_by_side_the_ceiling_for_all_holds(connection: Connection) -> None:
    limits = Limits(max_burn_usd_hr=1.5)
    with pytest.raises(errors.BudgetExceeded, match="together"):
        launch_many(specs("a", "b", "c"), connection=connection, limits=limits)
    assert names(connection) == []
    assert len(launch_many(specs("a", "b"), connection=connection, limits=limits)) == 2
    assert len(launch_many(specs("a", "b"), connection=connection, limits=limits)) == 2
    assert names(connection) == ["a", "b"]


def test_fields_say_what_a_spec_says(connection: Connection) -> None:
    launch_many(
        [{"gpu": "L4_24GB", "name": "w", "pods": 2}, {"gpu": "L4_24GB", "name": "x"}], connection=connection
    )
    assert names(connection) == ["w-1", "w-2", "x"]
    with pytest.raises(errors.InvalidRequest, match="Two of these pods"):
        launch_many([{"gpu": "L4_24GB"}, {"gpu": "L4_24GB"}], connection=connection)


def test_what_one_of_them_says_of_secrets_is_hidden_in_all(through: Through) -> None:
    def answer(name: str) -> httpx.Response | None:
        return httpx.Response(402, json={"detail": "no hunter2 here"}) if name == "b" else None

    with pytest.raises(errors.LaunchIncomplete) as caught:
        launch_many(specs("a", "b"), connection=through(Creates(answer)))
    caught.value.hide({"hunter2": "${SECRET}"})
    assert "hunter2" not in f"{caught.value} {caught.value.failures['b']} {caught.value.failures['b'].detail}"


def test_what_was_created_is_named_if_no_more_threads_can_be_started(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads run out after the second of three creates has begun."""
    begun: list[threading.Thread] = []
    start = threading.Thread.start

    def start_some(thread: threading.Thread) -> None:
        begun.extend([thread] if thread.name == "primepods-background" else [])
        # The first three plan.
        if thread in begun[5:]:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    with pytest.raises(errors.LaunchIncomplete) as caught:
        launch_many(specs("a", "b", "c"), connection=connection)
    assert names(connection) == ["a", "b"] == [pod.name for pod in caught.value.pods]
    first, a, b, c = str(caught.value).splitlines()
    assert first.startswith("2 of 3 pods exist and are billed $1.38/h together")
    assert [pod.id in line for pod, line in zip(caught.value.pods, (a, b), strict=True)] == [True, True]
    assert c == "  c: PodsError: Cannot start a thread here (can't start new thread). Nothing was sent"


def interrupt_start(
    monkeypatch: pytest.MonkeyPatch, number: int, is_time: Callable[[], bool] = lambda: True
) -> None:
    """Let Ctrl-C come when so many threads have begun, and it is time."""
    begun: list[threading.Thread] = []
    start = threading.Thread.start

    def start_all(thread: threading.Thread) -> None:
        start(thread)
        begun.extend([thread] if thread.name == "primepods-background" else [])
        if thread in begun[number - 1 :]:
            assert is_time()
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start_all)


def test_an_interrupt_while_launches_are_planned_says_that_nothing_was_created(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_start(monkeypatch, 2)
    with pytest.raises(errors.WaitInterrupted, match=r"before any pod was ordered\. Nothing was created"):
        launch_many(specs("a", "b", "c"), connection=connection)
    assert names(connection) == []


def test_an_interrupt_while_creations_are_started_is_an_exact_account(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes when two have been started, of which one at least has sent its create."""
    is_sent, may_answer = threading.Event(), threading.Event()

    def answer(_: str) -> None:
        is_sent.set()
        may_answer.wait(20)

    connection = through(Creates(answer))
    # The first three plan.
    interrupt_start(monkeypatch, 5, lambda: is_sent.wait(20))
    with pytest.raises(errors.LaunchIncomplete) as caught:
        launch_many(specs("a", "b", "c"), connection=connection)
    may_answer.set()
    first, a, b, c = str(caught.value).splitlines()
    assert first.startswith("None of 3 pods is known to exist. Run this again to launch the rest")
    assert any(": OutcomeUnknown: Interrupted while" in line for line in (a, b))
    assert c == "  c: WaitInterrupted: Interrupted before 'c' was ordered. Nothing was created"


def test_a_launch_that_breaks_after_its_create_may_be_billed(
    connection: Connection, through: Through
) -> None:
    def fail_at_last(_: object) -> None:
        if requests:
            raise ZeroDivisionError

    requests: list[str] = []
    there = through(Creates(requests.append))
    there.client.on_pods = fail_at_last
    with pytest.raises(
        errors.OutcomeUnknown, match=r"'a' failed with ZeroDivisionError.*may exist and be billed"
    ):
        launch_many(specs("a"), connection=there)
    assert names(connection) == ["a"]
