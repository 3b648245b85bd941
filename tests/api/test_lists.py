"""Lists that move while they are read, and services that page in their own ways: nothing is missing, or it is
an error."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import UnexpectedAnswer
from tests.support.moving_list import MovingList, Shuffler, client_of, row
from tests.support.soak import pick

SEEDS = pick(80, 5000)
NO_TOTAL = pytest.param(lambda count, shown: None, id="no total")
ZERO = pytest.param(lambda count, shown: 0, id="0")
TEXT = pytest.param(lambda count, shown: str(count), id="text")
TOO_LOW = pytest.param(lambda count, shown: count - 2, id="too low")
TOO_HIGH = pytest.param(lambda count, shown: count + 7, id="too high")
OF_THE_PAGE = pytest.param(lambda count, shown: shown, id="of the page")


def read_ids(service: MovingList) -> list[str]:
    with client_of(service) as client:
        return [str(pod.id) for pod in client.list_all_pods()]


@pytest.mark.parametrize("count", [0, 1, 2, 99])
def test_reads_a_list_that_fits_one_page_with_one_request(count: int) -> None:
    service = MovingList(count)
    assert read_ids(service) == service.ids
    assert service.asked == [(0, 100)]


@pytest.mark.parametrize(("count", "requests"), [(101, 2), (250, 2), (999, 2), (100, 3), (1001, 5)])
def test_reads_a_longer_list_in_one_answer_where_the_service_allows_it(count: int, requests: int) -> None:
    service = MovingList(count)
    assert read_ids(service) == service.ids
    assert len(service.asked) == requests


@pytest.mark.parametrize("total", [NO_TOTAL, ZERO, TEXT, TOO_LOW, TOO_HIGH, OF_THE_PAGE])
@pytest.mark.parametrize("count", [1, 5, 99, 100, 101, 250])
@pytest.mark.parametrize("cap", [7, 100, 10**9])
def test_reads_everything_though_the_total_is_wrong(total: Any, count: int, cap: int) -> None:
    service = MovingList(count)
    service.total, service.cap = total, cap
    assert read_ids(service) == service.ids
    assert len(service.asked) <= 8 + 5 * count / (min(cap, 100) - 1)


def test_asks_twice_where_a_short_page_has_no_total() -> None:
    service = MovingList(3)
    service.total = lambda count, shown: None
    assert read_ids(service) == service.ids
    assert service.asked == [(0, 100), (2, 100)]


@pytest.mark.parametrize("cap", [1, 2, 30, 100])
def test_reads_everything_though_pages_are_short(cap: int) -> None:
    service = MovingList(130)
    service.cap, service.echoes_limit = cap, False
    assert set(read_ids(service)) == set(service.ids)


def test_goes_on_with_ordinary_pages_where_a_large_limit_is_refused() -> None:
    service = MovingList(250)
    service.refuses_above = 100
    assert read_ids(service) == service.ids
    assert {limit for offset, limit in service.asked if offset} == {100}


@pytest.mark.parametrize("count", [3, 100, 250, 1500])
def test_reads_a_service_without_pages(count: int) -> None:
    service = MovingList(count)
    service.ignores_offset = service.ignores_limit = True
    assert read_ids(service) == service.ids


def test_notices_an_ignored_offset() -> None:
    service = MovingList(250)
    service.ignores_offset, service.cap = True, 100
    with pytest.raises(UnexpectedAnswer, match="the same 100 rows for every page"):
        read_ids(service)
    service.total = lambda count, shown: None
    with pytest.raises(UnexpectedAnswer, match="the same 100 rows for every page"):
        read_ids(service)


def test_a_pod_that_ends_between_two_pages_hides_no_other_one() -> None:
    service = MovingList(101)
    service.cap = 100

    def move(number: int) -> None:
        if service.asked and service.asked[-1][0] == 0:
            service.rows.pop(3)
        elif number:
            service.rows.insert(0, row(1000 + number))

    service.move = move
    with pytest.raises(UnexpectedAnswer, match="Try again"):
        read_ids(service)
    assert len(service.asked) < 30
    service.asked.clear()
    service.cap = 10**9
    assert "pod-100" in read_ids(service)


def test_a_row_that_jumps_forward_while_others_end_and_begin_is_not_lost() -> None:
    service = MovingList(150)
    service.cap, service.refuses_above = 100, 100

    def move(number: int) -> None:
        # Between two pages, so that neither the seam nor the total shows it.
        if number == 1:
            service.rows.insert(0, service.rows.pop(140))
            service.rows.pop(50)
            service.rows.append(row(1000))

    service.move = move
    assert "pod-140" in read_ids(service)


@pytest.mark.parametrize("total", [lambda count, shown: count, lambda count, shown: None])
def test_a_later_page_that_comes_empty_is_not_believed(total: Any) -> None:
    service = MovingList(130)
    service.cap, service.total = 100, total
    service.page = lambda rows: [] if len(service.asked) == 3 else rows
    assert read_ids(service) == service.ids
    service.page = lambda rows: [] if service.asked[-1][0] else rows
    with pytest.raises(UnexpectedAnswer, match="cannot be relied on"):
        read_ids(service)


def test_notices_an_unstable_order() -> None:
    rng = random.Random(1)
    service = MovingList(150)
    service.cap = 100
    service.move = lambda number: rng.shuffle(service.rows)
    with pytest.raises(UnexpectedAnswer, match="cannot be relied on"):
        read_ids(service)
    service.cap = 10**9
    assert sorted(read_ids(service)) == sorted(service.ids)


def test_a_row_that_is_repeated_in_the_place_of_another_one_is_noticed() -> None:
    service = MovingList(20)
    service.page = lambda rows: [*rows[:9], rows[8], *rows[10:]] if len(service.asked) == 1 else rows
    assert read_ids(service) == service.ids
    service.page = lambda rows: [*rows[:9], rows[8], *rows[10:]]
    with pytest.raises(UnexpectedAnswer, match="cannot be relied on"):
        read_ids(service)


def test_a_row_that_is_repeated_beside_all_others_is_one() -> None:
    service = MovingList(20)
    service.page = lambda rows: [*rows[:9], rows[8], *rows[9:]]
    assert read_ids(service) == service.ids


def test_rows_without_an_id_are_all_kept() -> None:
    service = MovingList()
    service.rows = [{"name": "a"}, {"name": "a"}, {"id": "", "name": "b"}, {"id": None, "name": "c"}]
    with client_of(service) as client:
        assert [pod.name for pod in client.list_all_pods()] == ["a", "a", "b", "c"]


@pytest.mark.parametrize("big", [0, 50_000], ids=["small rows", "big rows"])
@pytest.mark.parametrize("ignores_offset", [False, True])
@pytest.mark.parametrize("total", [None, 10**15])
def test_a_list_that_never_ends_is_given_up_soon(big: int, ignores_offset: bool, total: int | None) -> None:
    class Endless(MovingList):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            page = int(request.url.params.get("page", 0))
            offset, limit = int(request.url.params.get("offset", 100 * page)), 100
            self.asked.append((offset, limit))
            begin = len(self.asked) * 1000 if ignores_offset else offset
            rows = [{"id": f"{begin + n}", "cloudId": f"{begin + n}", "x": "x" * big} for n in range(limit)]
            body = {"data": rows, "total_count": total} if total else {"data": rows}
            return httpx.Response(200, json=body)

    for read in ("list_ssh_keys", "list_offers"):
        service = Endless()
        with client_of(service) as client, pytest.raises(UnexpectedAnswer):
            getattr(client, read)()
        assert len(service.asked) <= 120
        assert len(service.asked) * 100 * big <= 160e6


def test_the_same_proof_is_asked_of_other_lists() -> None:
    for read in ("list_disks", "list_ssh_keys", "list_teams"):
        service = MovingList(101)
        service.rows = [{"id": key, "teamId": key, "userId": key} for key in service.ids]
        service.cap = 100
        service.move = lambda number, service=service: number == 1 and service.rows.pop(3)  # type: ignore[misc]
        with client_of(service) as client:
            rows = getattr(client, read)()
        assert len(rows) == 100
        assert rows[-1].model_dump().get("id", "pod-100") == "pod-100"


@pytest.mark.parametrize("part", range(10))
def test_no_pod_that_lives_through_the_whole_read_is_missing(part: int) -> None:
    read = refused = 0
    for seed in range(part, SEEDS, 10):
        rng = random.Random(seed)
        service = MovingList(rng.choice([0, 1, 5, 60, 99, 100, 101, 130, 199, 200, 260]))
        service.cap = rng.choice([10**9, 10**9, 100, 100, 60, 20])
        service.refuses_above = rng.choice([10**9, 100])
        service.ignores_offset, service.ignores_limit = rng.random() < 0.1, rng.random() < 0.1
        totals = [NO_TOTAL, ZERO, TEXT, TOO_LOW, TOO_HIGH, OF_THE_PAGE]
        if rng.random() < 0.5:
            service.total = rng.choice(totals).values[0]  # type: ignore[assignment]
        else:
            # Without both, nothing at all tells a short page from a short list.
            service.echoes_limit = rng.random() < 0.5
        shuffler = Shuffler(service, rng, rng.choice([0.0, 0.1, 0.5, 2.0]))
        service.move = shuffler.move
        if rng.random() < 0.3:
            service.lag = lambda rng=rng: rng.choice([0, 0, 1, 3])  # type: ignore[misc]
        if rng.random() < 0.2:
            service.page = lambda rows, rng=rng, asked=service.asked: _spoil_page(rows, rng, asked[-1][0])  # type: ignore[misc]
        try:
            ids = read_ids(service)
        except UnexpectedAnswer:
            refused += 1
        else:
            assert shuffler.survivors <= set(ids), seed
            assert len(set(ids)) == len(ids), seed
            read += 1
        assert len(service.asked) <= 302, seed
    assert read > refused


def _spoil_page(rows: list[dict[str, Any]], rng: random.Random, offset: int) -> list[dict[str, Any]]:
    """Now and then, a later page comes empty, or a page has a row twice, perhaps in the place of another."""
    if not rows or rng.random() < 0.7:
        return rows
    if rng.random() < 0.3 and offset:
        return []
    place = rng.randrange(len(rows))
    return [*rows[:place], rng.choice(rows), *rows[place + rng.randint(0, 1) :]]


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [], "status": "error", "message": "database is down"},
        {"data": [], "total_count": 0, "status": "Failed", "error": {"message": "database is down"}},
        {"items": [], "success": False, "detail": "database is down"},
        {"data": [], "error": "database is down"},
    ],
)
@pytest.mark.parametrize("call", ["list_pods", "list_all_pods", "list_offers", "all_history", "list_disks"])
def test_rejects_list_that_reports_an_error(answer: dict[str, Any], call: str) -> None:
    service = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with client_of(service) as client, pytest.raises(UnexpectedAnswer, match=r"\(database is down\)"):
        getattr(client, call)()


@pytest.mark.parametrize("extra", [{"status": "ok"}, {"success": True}, {"error": None}, {"errors": []}])
def test_accepts_empty_list_that_reports_success(extra: dict[str, Any]) -> None:
    answer = {"data": [], "total_count": 0, **extra}
    with client_of(httpx.MockTransport(lambda _: httpx.Response(200, json=answer))) as client:
        assert client.list_all_pods() == []


def test_retries_list_that_reports_an_error() -> None:
    answers = [{"data": [], "status": "error"}, {"data": [{"id": "a"}], "total_count": 1}]
    service = httpx.MockTransport(lambda _: httpx.Response(200, json=answers.pop(0)))
    with client_of(service) as client:
        assert [pod.id for pod in client.list_all_pods()] == ["a"]
