"""Every row once or an error, never a shorter table: whatever the list does between two pages."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from primepods_magic.api.errors import PodsError, RateLimited, ServiceUnavailable, UnexpectedAnswer
from primepods_magic.pods.history import read_history
from tests.support.soak import pick
from tests.support.waiting import eventually

from .moving import MovingService, connected, faults, ids, soon

__all__ = ["soon"]

pytestmark = pytest.mark.usefixtures("soon")

WORKERS = "primepods-background"


def read(service: MovingService, **options: object) -> list[str]:
    with connected(service) as connection:
        return ids(read_history(connection, **options))  # type: ignore[arg-type]


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == WORKERS]


@pytest.mark.parametrize("cap", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 99, 100, 101, 250])
def test_a_list_that_rests_is_read_in_pages_of_any_size(cap: int, count: int) -> None:
    service = MovingService(count)
    service.cap = cap
    assert read(service) == service.ids
    assert len(service.asked) <= -(-count // max(1, cap - 1)) + 2
    assert service.most_in_flight <= 8


def test_pages_are_as_large_as_the_service_grants_and_eight_are_in_flight() -> None:
    service = MovingService(40_000)
    # Nobody is answered before eight have asked.
    gate = threading.Barrier(8, timeout=5)
    service.hold = lambda: None if service.asked[-1][1] == 0 or len(service.asked) > 9 else gate.wait()
    assert read(service) == service.ids
    assert service.most_in_flight == 8
    assert {limit for limit, _ in service.asked} == {1000}
    assert len(service.asked) <= 42


@pytest.mark.parametrize("status", [400, 422])
def test_a_service_that_refuses_large_pages_is_asked_for_a_hundred(status: int) -> None:
    service = MovingService(250)
    service.refuses_above = service.cap = 100
    refusal = httpx.Response(status, json={"detail": "limit"})
    service.spoil = lambda number: refusal if service.asked[number][0] > 100 else None
    assert read(service) == service.ids
    assert [limit for limit, _ in service.asked].count(1000) == 1


TOTALS: dict[str, Callable[[int], int | str | None]] = {
    "missing": lambda count: None,
    "0": lambda count: 0,
    "1": lambda count: 1,
    "of the page": lambda count: 10,
    "a little low": lambda count: count - 1,
    "low": lambda count: count // 2,
    "at a seam": lambda count: 19,
    "a text": str,
}


@pytest.mark.parametrize("count", [5, 10, 28, 40])
@pytest.mark.parametrize("total", TOTALS)
def test_a_count_that_is_too_low_shortens_nothing(total: str, count: int) -> None:
    service = MovingService(count)
    service.cap, service.total = 10, TOTALS[total]
    try:
        assert read(service) == service.ids
    except UnexpectedAnswer:
        # A count above the rows is no proof, and no table.
        assert TOTALS[total](count) in range(count + 1, 100)


@pytest.mark.parametrize("cap", [1, 10, 1000])
@pytest.mark.parametrize("more", [1, 10**15])
def test_a_count_that_is_too_high_is_an_error_and_soon(cap: int, more: int) -> None:
    service = MovingService(40)
    service.cap, service.total = cap, lambda count: count + more
    with pytest.raises(UnexpectedAnswer, match="could not be read completely"):
        read(service)
    assert len(service.asked) < 5 * (40 + 20)


def test_pages_of_one_row_without_a_count_prove_nothing() -> None:
    service = MovingService(5)
    service.cap, service.total = 1, lambda count: None
    with pytest.raises(UnexpectedAnswer):
        read(service)


@pytest.mark.parametrize("total", [None, 40])
def test_a_service_that_ignores_the_offset_gives_no_table_that_is_short(total: int | None) -> None:
    service = MovingService(40)
    service.cap, service.ignores_offset, service.total = 10, True, lambda count: total
    with pytest.raises(UnexpectedAnswer):
        read(service)
    service.cap = 100
    if total is not None:
        assert read(service) == service.ids


def test_a_service_that_ignores_the_order_is_read_as_it_lists() -> None:
    service = MovingService(95)
    service.rows.reverse()
    service.cap = 10
    assert read(service) == service.ids
    # Newest first, whatever ends meanwhile pushes all the others on.
    service.before = lambda: service.insert(0)
    with pytest.raises(UnexpectedAnswer):
        read(service, refresh=True)


@pytest.mark.parametrize("total", [None, "count"])
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("which", [0, 1, 2, 5])
def test_one_page_that_is_short_once_costs_a_few_requests_and_no_row(
    which: int, rows: int, total: str | None
) -> None:
    service = MovingService(2000)
    service.cap = 100
    service.total = lambda count: count if total else None
    service.page = lambda number, page: page[:rows] if number == which else page
    assert read(service) == service.ids
    assert len(service.asked) < 2 * 21 + 20


@pytest.mark.parametrize(("first", "then"), [(100, 10), (10, 100), (1000, 1), (100, 99)])
def test_another_longest_page_in_the_middle(first: int, then: int) -> None:
    service = MovingService(400)
    service.cap = first

    def change() -> None:
        if len(service.asked) == 3:
            service.cap = then

    service.before = change
    assert read(service) == service.ids


def test_what_is_malformed_once_is_asked_for_again() -> None:
    service = MovingService(400)
    service.cap = 100
    service.spoil = lambda number: httpx.Response(200, content=b"<html>") if number in (0, 2) else None
    assert read(service) == service.ids


@pytest.mark.parametrize("body", [{}, {"data": None}, None, {"data": {}}, {"data": "x"}, {"data": [1, 2]}])
def test_what_is_no_list_is_no_empty_history(body: object) -> None:
    service = MovingService(400)
    service.cap = 100
    for which in (0, 3):
        service.asked.clear()
        service.spoil = lambda number, which=which: (  # type: ignore[misc]
            httpx.Response(200, json=body) if number >= which else None
        )
        with pytest.raises(UnexpectedAnswer):
            read(service)


@pytest.mark.parametrize("begin", [0, 3])
def test_a_service_that_fails_for_ever_is_an_error_and_leaves_no_thread(begin: int) -> None:
    service = MovingService(4000)
    service.cap = 100
    service.spoil = lambda number: httpx.Response(500) if number >= begin else None
    with connected(service) as connection:
        with pytest.raises(ServiceUnavailable):
            read_history(connection)
        eventually(lambda: not workers(), "the threads end")
        assert service.in_flight == 0


def test_rows_of_one_instant_that_change_places_are_all_there_or_it_is_an_error() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(pick(4, 1000)):
        rng = random.Random(seed)
        service = MovingService(60)
        service.cap = rng.choice([7, 10, 20])
        begin = rng.randrange(50)
        length = rng.randrange(2, 30)
        for one in service.rows[begin : begin + length]:
            one["terminatedAt"] = service.rows[begin]["terminatedAt"]

        def shuffle(
            service: MovingService = service,
            rng: random.Random = rng,
            begin: int = begin,
            length: int = length,
        ) -> None:
            part = service.rows[begin : begin + length]
            rng.shuffle(part)
            service.rows[begin : begin + length] = part

        service.before = shuffle
        try:
            told = read(service, refresh=True)
        except UnexpectedAnswer:
            outcomes["error"] += 1
            continue
        outcomes["read"] += 1
        assert sorted(told) == sorted(service.ids), seed
    assert outcomes["read"]


def test_a_row_that_goes_while_another_comes_is_not_hidden_by_the_count() -> None:
    for moment in range(1, 5):
        service = MovingService(40)
        service.cap = 10
        moved = False

        def swap(service: MovingService = service, moment: int = moment) -> None:
            nonlocal moved
            if len(service.asked) == moment + 1 and not moved:
                moved = True
                del service.rows[0]
                service.append()

        service.before = swap
        told = read(service, in_flight=1, refresh=True)
        assert moved
        assert set(service.ids) - {service.ids[-1]} <= set(told)


def test_a_list_that_has_shrunk_is_not_taken_for_one_that_ends_there() -> None:
    service = MovingService(70)
    service.cap, service.total = 10, lambda count: None

    def move() -> None:
        if len(service.asked) == 8:
            del service.rows[:12]

    service.before = move
    told = read(service)
    assert set(service.ids) <= set(told)


def test_pages_of_one_row_are_believed_by_the_count_alone() -> None:
    """And that only where it has not gone down: a row that went has hidden another one from us."""
    service = MovingService(20)
    service.cap = 1

    def move() -> None:
        if len(service.asked) == 6:
            del service.rows[0]
        elif len(service.asked) == 9:
            service.append()

    service.before = move
    told = read(service, in_flight=1)
    assert set(service.ids) <= set(told)
    assert len(service.asked) > 21


MOVES = ("append", "insert", "delete", "cap")


@pytest.mark.parametrize("moves", [("append",), ("insert",), ("delete",), ("append", "delete"), MOVES])
def test_whatever_moves_every_row_that_stays_is_there_once(moves: tuple[str, ...]) -> None:
    errors = 0
    runs = pick(4, 1500)
    for seed in range(runs):
        rng = random.Random(f"{moves} {seed}")
        service = MovingService(rng.randrange(1, 120))
        service.cap = rng.choice([2, 7, 10, 100, 1000])
        often = rng.choice([0.02, 0.2])
        service.total = rng.choice([lambda count: count, lambda count: count, lambda count: None])
        service.spoil = faults(rng) if rng.random() < 0.3 else service.spoil
        stays, ever = set(service.ids), {one["id"]: dict(one) for one in service.rows}

        def move(
            service: MovingService = service,
            rng: random.Random = rng,
            often: float = often,
            stays: set[str] = stays,
            ever: dict[str, dict[str, object]] = ever,
        ) -> None:
            while rng.random() < often:
                kind = rng.choice(moves)
                if kind == "append":
                    service.append()
                elif kind == "insert":
                    service.insert(rng.randrange(len(service.rows) + 1))
                elif kind == "delete" and service.rows:
                    stays.discard(service.rows.pop(rng.randrange(len(service.rows)))["id"])
                elif kind == "cap":
                    service.cap = rng.choice([2, 7, 10, 100])
                ever.update({one["id"]: dict(one) for one in service.rows})

        service.before = move
        with connected(service) as connection:
            try:
                table = read_history(connection, refresh=True).table
            except PodsError:
                errors += 1
                continue
        told = list(table.columns["id"])
        assert len(told) == len(set(told)), seed
        assert stays <= set(told) <= set(ever), (seed, stays - set(told))
        for key, billed in zip(told, table.columns["total_billed_price"], strict=True):
            assert billed == ever[key]["totalBilledPrice"]
    # What only ends moves nothing that was there.
    assert errors == 0 if moves == ("append",) else errors < runs


def test_everybody_keeps_to_the_pause_that_one_is_told_and_fewer_ask_afterwards() -> None:
    # So many pages that half a second goes by without the pause.
    service = MovingService(4000)
    service.cap = 10
    at: list[float] = []
    said: list[float] = []
    in_flight: list[int] = []

    def spoil(number: int) -> httpx.Response | None:
        at.append(time.monotonic())
        in_flight.append(service.in_flight)
        if number == 8:
            said.append(time.monotonic())
            return httpx.Response(429, headers={"Retry-After": "1"})
        # One that failed otherwise would be sent again sooner.
        return httpx.Response(500) if number == 7 else None

    service.spoil = spoil
    service.hold = lambda: time.sleep(0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("primepods_magic.api.http.session.RETRY_BUDGET_S", 20.0)
        assert read(service) == service.ids
    after = [moment - said[0] for moment in at if moment > said[0]]
    # Those that were under way were so at most 10 ms longer.
    assert not [moment for moment in after if 0.25 < moment < 0.98]
    resumed = [number for moment, number in zip(at, in_flight, strict=True) if moment > said[0] + 0.9]
    assert max(resumed) <= 4


def test_a_pause_that_is_too_long_is_an_error_that_says_so() -> None:
    service = MovingService(400)
    service.spoil = lambda number: httpx.Response(429, headers={"Retry-After": "900"})
    with pytest.raises(RateLimited):
        read(service)


@pytest.mark.parametrize("trouble", ["none", "429", "500"])
@pytest.mark.parametrize("kept", [False, True])
def test_ctrl_c_ends_the_requests_and_the_threads(trouble: str, kept: bool) -> None:
    service = MovingService(30_000 if kept else 4000)
    with connected(service) as connection:
        if kept:
            read_history(connection)
            for _ in range(3000):
                service.append()
        service.cap = 100
        service.asked.clear()
        main, over = threading.main_thread(), threading.Event()

        def hold() -> None:
            if len(service.asked) >= 10 and not over.is_set():
                over.set()
                signal.pthread_kill(main.ident or 0, signal.SIGINT)

        def spoil(number: int) -> httpx.Response | None:
            over.wait(0.02)
            if number < 9 or trouble == "none":
                return None
            return httpx.Response(int(trouble), headers={"Retry-After": "3"})

        service.hold, service.spoil = hold, spoil
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("primepods_magic.api.http.session.RETRY_BUDGET_S", 20.0)
            patch.setattr("primepods_magic.api.http.session.FIRST_BACKOFF_S", 1.0)
            patch.setattr("primepods_magic.api.http.session.MAX_BACKOFF_S", 1.0)
            with pytest.raises(KeyboardInterrupt):
                read_history(connection)
            asked = len(service.asked)
            begun = time.monotonic()
            eventually(lambda: not workers(), "the threads end")
            # Not after the pause that they had begun.
            assert time.monotonic() - begun < 0.4
            assert len(service.asked) <= asked + 8
            after = len(service.asked)
            assert not workers()
            assert len(service.asked) == after


def test_a_connection_that_is_closed_ends_the_waiting() -> None:
    service = MovingService(4000)
    service.cap = 100
    service.spoil = lambda number: httpx.Response(429, headers={"Retry-After": "9"}) if number > 3 else None
    with pytest.MonkeyPatch.context() as patch, connected(service) as connection:
        patch.setattr("primepods_magic.api.http.session.RETRY_BUDGET_S", 20.0)
        closer = threading.Thread(
            target=lambda: (eventually(lambda: len(service.asked) > 4, "asked"), connection.close())
        )
        closer.start()
        begun = time.monotonic()
        with pytest.raises(PodsError):
            read_history(connection)
        assert time.monotonic() - begun < 3
        closer.join()


def test_progress_is_told_on_the_thread_that_reads() -> None:
    service = MovingService(950)
    told: list[tuple[int, int, threading.Thread]] = []
    with connected(service) as connection:
        for cap in (100, 100):
            told.clear()
            service.cap = cap
            read_history(
                connection,
                progress=lambda rows, total: told.append((rows, total, threading.current_thread())),
            )
            assert {thread for *_, thread in told} == {threading.main_thread()}
            assert [rows for rows, *_ in told] == sorted(rows for rows, *_ in told)
            assert all(rows <= total for rows, total, _ in told)
            assert told[-1][:2] == (len(service.rows), len(service.rows))
            for _ in range(350):
                service.append()
