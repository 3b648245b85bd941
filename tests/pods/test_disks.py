"""Disks: one for each name whatever the service does, at an agreed price, and deleted only for certain."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic import launch
from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    NotFound,
    OutcomeUnknown,
    OutOfStock,
    PodsError,
    RateLimited,
    WaitInterrupted,
)
from primepods_magic.api.settings import Settings
from primepods_magic.pods import audit
from primepods_magic.pods.audit import read_audit
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.disks.change import delete_disks, rename_disk, wait_for_disk
from primepods_magic.pods.disks.create import create_disk
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick

SETTLE_S = 2.0
ACTS = (
    "reset_after",
    "html_after",
    "500_after",
    "503_after",
    "504_after",
    "truncated",
    "not_json",
    "wrong_type",
)
DOES_NOT = ("reset_before", "html", "500_before", "502_before", "503_before", "429")


def fail(sandbox: SandboxControl, *rules: dict[str, Any], seed: int = 0) -> None:
    answer = sandbox.api.put("/sandbox/faults", params={"seed": seed}, json=list(rules) or "none")
    assert answer.is_success, answer.text


def list_live(sandbox: SandboxControl, name: str) -> list[dict[str, Any]]:
    disks: list[dict[str, Any]] = sandbox.api.get("/api/v1/disks?limit=1000").json()["data"]
    return [disk for disk in disks if disk["name"] == name and disk["status"] != "DELETING"]


def attempt(act: Callable[[], Disk]) -> Disk | PodsError:
    try:
        return act()
    except PodsError as error:
        return error


def make(connection: Connection, name: str = "corpus", size_gb: int = 100, **options: Any) -> Disk:
    options = {"tell": lambda _: None, "settle_s": SETTLE_S, **options}
    return create_disk(name, size_gb, connection=connection, **options)


def test_a_disk_is_created_once_at_the_cheapest_place(
    connection: Connection, sandbox: SandboxControl
) -> None:
    told: list[str] = []
    disk = make(connection)
    again = make(connection, tell=told.append)
    assert again.id == disk.id
    assert told == ["The disk 'corpus' exists already, and is billed < $0.01/h, about $5.11 a month"]
    offers = connection.client.list_disk_offers()
    prices = [offer.spec.price_per_unit for offer in offers if offer.in_stock]
    assert disk.price_hr == pytest.approx(100 * min(price for price in prices if price is not None))
    assert len(list_live(sandbox, "corpus")) == 1


@pytest.mark.parametrize("fault", [*ACTS, *DOES_NOT])
def test_a_create_that_fails_is_neither_repeated_nor_untrue(
    connection: Connection, sandbox: SandboxControl, fault: str
) -> None:
    fail(sandbox, {"fault": fault, "method": "POST", "path": "/disks", "times": 1})
    result = attempt(lambda: make(connection))
    there = [disk["id"] for disk in list_live(sandbox, "corpus")]
    if isinstance(result, Disk):
        assert there == [result.id]
    else:
        assert not there, f"it exists, and this says: {result}"
        assert isinstance(result, (OutcomeUnknown, RateLimited)) or "Nothing was" in str(result)
    assert make(connection).id == list_live(sandbox, "corpus")[0]["id"]
    assert len(list_live(sandbox, "corpus")) == 1


def test_one_that_was_cut_off_is_found_by_the_next_kernel(
    connection: Connection, sandbox: SandboxControl, through: Through
) -> None:
    def interrupt(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            raise KeyboardInterrupt
        return response

    with pytest.raises(OutcomeUnknown, match=r"Interrupted while .* may exist and be billed"):
        make(through(Changing(interrupt)))
    (left,) = list_live(sandbox, "corpus")
    sandbox.api.patch(f"/api/v1/disks/{left['id']}", json={"name": "  CORPUS "})
    assert make(connection).id == left["id"], "services change names"


def test_a_response_that_names_another_disk_is_not_believed(connection: Connection, through: Through) -> None:
    other = make(connection, "texts")

    def confuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={**response.json(), "id": other.id}, request=request)
        return response

    disk = make(through(Changing(confuse)))
    assert (disk.name, disk.id != other.id) == ("corpus", True)


def test_a_list_that_lags_makes_no_second_disk(connection: Connection, through: Through) -> None:
    disk = make(connection)

    def leave_out(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path.rstrip("/").endswith("/disks"):
            return httpx.Response(200, json={"data": [], "total_count": 0}, request=request)
        return response

    assert make(through(Changing(leave_out))).id == disk.id


def test_a_disk_that_was_confirmed_and_is_shown_nowhere_is_not_created_twice(
    connection: Connection, sandbox: SandboxControl, through: Through
) -> None:
    make(connection)

    def hide(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if request.method != "GET" or "availability" in path:
            return response
        if path.endswith("/disks"):
            return httpx.Response(200, json={"data": [], "total_count": 0}, request=request)
        if "/disks/" in path:
            return httpx.Response(404, json={"detail": "Disk not found"}, request=request)
        return response

    with pytest.raises(OutcomeUnknown, match=r"has confirmed the disk 'corpus' .* may exist and be billed"):
        make(through(Changing(hide)), settle_s=0)
    assert len(list_live(sandbox, "corpus")) == 1
    # Once it was shown, what is shown nowhere has been deleted.
    make(connection)
    assert make(through(Changing(hide)), settle_s=0).id != list_live(sandbox, "corpus")[0]["id"]


def test_another_team_and_another_case_are_told_apart(
    connection: Connection, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make(connection)
    assert make(connection, "Corpus").id == mine.id, "services change the case of names"
    team = connection.client.list_teams()[0]
    settings = Settings(sandbox.url, connection.settings.api_key, team.team_id)
    monkeypatch.setattr(connection.client, "settings", settings)
    theirs = make(connection)
    assert theirs.id != mine.id
    assert theirs.team_id == team.team_id
    assert make(connection).id == theirs.id


def test_the_earlier_name_of_a_disk_is_free(connection: Connection, sandbox: SandboxControl) -> None:
    first = make(connection)
    rename_disk("corpus", "texts", connection=connection)
    second = make(connection)
    assert second.id != first.id
    sandbox.api.patch(f"/api/v1/disks/{second.id}", json={"name": "renamed elsewhere"})
    assert make(connection).id not in (first.id, second.id)


def test_a_refusal_that_was_acted_on_is_noticed(connection: Connection, through: Through) -> None:
    def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(409, json={"detail": "Conflict"}, request=request)
        return response

    assert make(through(Changing(refuse))).name == "corpus"


def test_a_price_of_nothing_is_none(connection: Connection, through: Through) -> None:
    def give_away(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path.endswith("/availability/disks"):
            body = response.json()
            body["items"][0]["spec"]["pricePerUnit"] = 0
            return httpx.Response(200, json=body, request=request)
        return response

    told = through(Changing(give_away))
    assert make(told).price_hr == pytest.approx(0.007), "the cheapest of the others"
    with pytest.raises(BudgetExceeded, match="a price that the service does not say"):
        make(told, "texts", country="CA", max_price_usd_hr=5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "gives no id for this disk"),
        ({"pods": [{"id": "p-1"}]}, r"In use: 'corpus' by p-1\. Nothing was deleted"),
        ({"pods": "p-1"}, "In use: 'corpus' by p-1"),
        ({"clusters": [7]}, "In use: 'corpus' by unknown"),
    ],
)
def test_what_the_service_says_of_a_disk_in_a_strange_way_deletes_nothing(
    connection: Connection, sandbox: SandboxControl, through: Through, changes: dict[str, Any], words: str
) -> None:
    make(connection)
    sandbox.advance(60)

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        assert request.method == "GET", "nothing is asked to be deleted"
        body = response.json()
        if "data" in body and "/disks" in request.url.path:
            body["data"] = [
                {**disk, **(changes if disk["name"] == "corpus" else {})} for disk in body["data"]
            ]
        return httpx.Response(200, json=body, request=request)

    with pytest.raises(InvalidRequest, match=words):
        delete_disks(["corpus"], connection=through(Changing(change)))
    assert list_live(sandbox, "corpus")


@pytest.mark.parametrize("changes", [{"name": "prefix-corpus"}, {"name": "my very long cor", "size": 101}])
def test_a_new_disk_of_another_name_may_be_the_one_that_was_lost(
    connection: Connection, sandbox: SandboxControl, through: Through, changes: dict[str, Any]
) -> None:
    name = "my very long corpus"

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadError("lost")
        if request.url.path.rstrip("/").endswith("/v1/disks"):
            body = response.json()
            body["data"] = [{**disk, **(changes if disk["name"] == name else {})} for disk in body["data"]]
            return httpx.Response(200, json=body, request=request)
        return response

    strange = through(Changing(change))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=r"the new disk '.*' \(.*\), which may be it and is billed"):
            make(strange, name, settle_s=0)
    assert len(list_live(sandbox, name)) == 1
    # What another create here has made is not it.
    make(connection, "other")


def test_two_lost_creates_with_names_cut_alike_are_two_disks(
    connection: Connection, through: Through
) -> None:
    def cut(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadError("lost")
        if request.url.path.rstrip("/").endswith("/v1/disks"):
            body = response.json()
            body["data"] = [{**disk, "name": disk["name"][:20]} for disk in body["data"]]
            return httpx.Response(200, json=body, request=request)
        return response

    cutting = through(Changing(cut))
    first, second = (make(cutting, f"training data number {number}") for number in (1, 2))
    assert first.id != second.id


def test_a_record_that_cannot_be_read_and_a_clock_that_jumps_make_no_second_disk(
    connection: Connection, sandbox: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(connection)
    (record,) = (home / ".local/state/primepods_magic/disks").iterdir()
    content = record.read_text()
    record.write_text("{")
    rename_disk("corpus", "texts", connection=connection)
    record.write_text("{")
    with pytest.raises(LaunchRefused, match=r"cannot be read\. That disk may exist and be billed"):
        make(connection)
    lost = json.loads(content) | {"disk_id": None, "known_ids": [], "noted_at_s": time.time() - 9999}
    record.write_text(json.dumps(lost))
    (disk,) = list_live(sandbox, "texts")
    with pytest.raises(OutcomeUnknown, match="new disk 'texts'"):
        make(connection, settle_s=0)
    assert [each["id"] for each in list_live(sandbox, "texts")] == [disk["id"]]
    assert not list_live(sandbox, "corpus")


def test_disks_of_others_are_not_deleted_in_passing(connection: Connection, through: Through) -> None:
    first, second = make(connection), make(connection, "texts")

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        assert request.method == "GET", "nothing is asked to be deleted"
        body = response.json()
        if request.url.path.rstrip("/").endswith("/v1/disks"):
            body["data"] = [
                {**disk, **({"userId": "cmb7someoneelse"} if disk["name"] == "texts" else {})}
                for disk in body["data"]
            ]
        return httpx.Response(200, json=body, request=request)

    live = through(Changing(change), live=True)
    ids = [str(first.id), str(second.id)]
    with pytest.raises(InvalidRequest, match=rf"not known to be yours: {second.id}\. Nothing was deleted"):
        delete_disks(ids, yes=True, connection=live)
    asked: list[str] = []
    with pytest.raises(InvalidRequest, match="not confirmed"):
        delete_disks(ids, confirm=lambda text: bool(asked.append(text)), connection=live)
    assert f"Not known to be yours: {second.id}" in asked[0]
    for wrong in ("corpus", None, [], [None], [5]):
        with pytest.raises(InvalidRequest, match="not a list of names or ids"):
            delete_disks(wrong, yes=True, connection=connection)  # type: ignore[arg-type]


def test_what_is_told_hides_no_disk_and_ctrl_c_is_one_sentence(
    connection: Connection, through: Through
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError

    make(connection)
    assert make(connection, tell=fail).name == "corpus"

    def interrupt(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "PATCH":
            raise KeyboardInterrupt
        return response

    with pytest.raises(WaitInterrupted, match="may have been renamed"):
        rename_disk("corpus", "texts", connection=through(Changing(interrupt)))


def test_a_disk_that_is_gone_can_be_created_again(connection: Connection, sandbox: SandboxControl) -> None:
    first = make(connection)
    sandbox.advance(60)
    assert [removal.outcome for removal in delete_disks(["corpus"], connection=connection)] == ["deleted"]
    second = make(connection)
    assert second.id != first.id


def test_a_create_that_cannot_be_noted_is_not_sent(
    connection: Connection, sandbox: SandboxControl, home: Any
) -> None:
    make(connection, "first")
    (folder,) = home.rglob("disks")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("")
    with pytest.raises(LaunchRefused, match="cannot be noted on this computer"):
        make(connection)
    assert not list_live(sandbox, "corpus")


def test_another_disk_of_the_name_is_not_taken_for_it(connection: Connection) -> None:
    make(connection, country="US")
    with pytest.raises(NameInUse, match=r"size 100 GB instead of 200 GB\. Nothing was created"):
        make(connection, size_gb=200)
    with pytest.raises(NameInUse, match="country US instead of FI"):
        make(connection, country="FI")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"name": " x"}, InvalidRequest, "no spaces around it"),
        ({"name": "x" * 256}, InvalidRequest, "1 to 255 characters"),
        ({"name": 5}, InvalidRequest, "is a text"),
        ({"name": "a\ud800"}, InvalidRequest, "1 to 255 characters"),
        ({"country": 5}, InvalidRequest, "'country' must be a name"),
        ({"settle_s": float("nan")}, InvalidRequest, "'settle_s' must be"),
        ({"size_gb": 0}, InvalidRequest, "size_gb"),
        ({"size_gb": True}, InvalidRequest, "size_gb"),
        ({"size_gb": 999_999}, InvalidRequest, "No place takes a disk of 999,999 GB: at most"),
        ({"country": "XX"}, InvalidRequest, "No disks are offered at XX"),
        ({"provider": "hyperstak"}, InvalidRequest, "did you mean 'hyperstack'"),
        ({"max_price_usd_hr": 0.0001}, BudgetExceeded, r"above the limit of .*Nothing was created"),
    ],
)
def test_what_cannot_be_created_is_refused_before_anything_is_sent(
    connection: Connection,
    sandbox: SandboxControl,
    options: dict[str, Any],
    error: type[PodsError],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        make(connection, **options)
    assert not list_live(sandbox, options.get("name", "corpus"))


def test_what_is_billed_is_agreed_to_first(
    connection: Connection, sandbox: SandboxControl, through: Through
) -> None:
    live = through(Changing(lambda _, response: response), live=True)
    with pytest.raises(LaunchRefused, match=r"No one can confirm .* a month, until it is deleted.*pass -y"):
        make(live)
    asked: list[str] = []
    for answer in (False, "n", None):
        with pytest.raises(LaunchRefused, match="was not confirmed"):
            make(live, confirm=lambda question, answer=answer: (asked.append(question), answer)[1])
    assert "Create the disk 'corpus' of 100 GB at" in asked[0]
    assert not list_live(sandbox, "corpus")
    assert make(live, confirm=lambda _: True).name == "corpus"
    sandbox.advance(60)
    with pytest.raises(InvalidRequest, match="not confirmed"):
        delete_disks(["corpus"], connection=live)
    assert delete_disks(["corpus"], yes=True, connection=live)[0].outcome == "deleted"


def test_a_disk_in_use_is_not_deleted_and_its_pod_is_named(
    connection: Connection, sandbox: SandboxControl
) -> None:
    disk = make(connection, provider="hyperstack", country="CA")
    sandbox.advance(60)
    pod = launch(
        gpu="A100_80GB", provider="hyperstack", name="train", disks=[disk.id], max_price=50,
        connection=connection, tell=lambda _: None,
    )  # fmt: skip
    with pytest.raises(InvalidRequest, match=r"In use: 'corpus' by train\. Nothing was deleted"):
        delete_disks(["corpus"], connection=connection)
    pod.terminate()
    sandbox.advance(120)
    assert delete_disks(["corpus"], connection=connection)[0].outcome == "deleted"


@pytest.mark.parametrize("fault", ["reset_after", "503_after", "html_after", "truncated", "503_before"])
def test_a_deletion_and_a_name_that_fail_once_are_told_as_they_are(
    connection: Connection, sandbox: SandboxControl, fault: str
) -> None:
    make(connection)
    sandbox.advance(60)
    fail(sandbox, {"fault": fault, "method": "PATCH", "times": 1})
    assert rename_disk("corpus", "texts", connection=connection).name == "texts"
    fail(sandbox, {"fault": fault, "method": "DELETE", "times": 1})
    assert delete_disks(["texts"], connection=connection)[0].outcome == "deleted"
    assert not list_live(sandbox, "texts")


def test_a_name_is_not_given_twice_and_one_is_meant(connection: Connection) -> None:
    make(connection)
    make(connection, "texts")
    with pytest.raises(NameInUse, match="Another disk is called 'texts' already"):
        rename_disk("corpus", "texts", connection=connection)
    with pytest.raises(NotFound, match=r"no disk 'corpsu' \(did you mean 'corpus'\?\)\. Nothing was done"):
        delete_disks(["corpsu"], connection=connection)


def test_a_disk_that_is_not_deleted_in_time_is_said_to_be_billed(
    connection: Connection, through: Through
) -> None:
    disk = make(connection)
    wait_for_disk(connection, disk, tell=lambda _: None)

    def ignore(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return response

    class Deaf(Changing):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "DELETE":
                return httpx.Response(200, json={"status": "DELETING"}, request=request)
            return super().handle_request(request)

    (removal,) = delete_disks(["corpus"], connection=through(Deaf(ignore)), timeout_s=1)
    assert removal.outcome == "not gone yet, may still be billed"


def test_a_disk_that_is_hidden_for_a_moment_is_not_taken_for_deleted(
    connection: Connection, sandbox: SandboxControl, through: Through
) -> None:
    """A service whose machines disagree accepts the deletion, shows the disk nowhere once, and then again."""
    make(connection)
    sandbox.advance(60)
    looks: list[str] = []

    def hide(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        looks.extend([path] if is_accepted else [])
        if is_accepted and len(looks) <= 2:
            is_list = path.endswith("/disks")
            body = {"data": [], "total_count": 0} if is_list else {"detail": "Disk not found"}
            return httpx.Response(200 if is_list else 404, json=body, request=request)
        return response

    class Ignoring(Changing):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal is_accepted
            if request.method != "DELETE":
                return super().handle_request(request)
            is_accepted = True
            return httpx.Response(200, json={"status": "success"}, request=request)

    is_accepted = False
    (removal,) = delete_disks(["corpus"], connection=through(Ignoring(hide)), timeout_s=3)
    assert looks
    assert removal.outcome != "deleted"
    assert list_live(sandbox, "corpus")


def test_what_was_created_and_deleted_is_in_the_audit_log(
    connection: Connection, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sandboxes of other tests have disks with the same ids.
    monkeypatch.setattr(audit, "_latest", {})
    disk = make(connection)
    sandbox.advance(60)
    delete_disks(["corpus"], connection=connection)
    entries = [(entry.kind, entry.event, entry.pod, entry.pod_id) for entry in read_audit()]
    assert entries == [
        ("disk", "create sent", "corpus", None),
        ("disk", "created", "corpus", disk.id),
        ("disk", "termination sent", "corpus", disk.id),
        ("disk", "terminated", "corpus", disk.id),
    ]


def test_no_room_is_said_and_nothing_is_created(connection: Connection, through: Through) -> None:
    def sell_out(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path.endswith("/availability/disks"):
            body = response.json()
            body["items"] = [{**item, "stockStatus": "Unavailable"} for item in body["items"]]
            return httpx.Response(200, json=body, request=request)
        return response

    with pytest.raises(OutOfStock, match="Nothing was created"):
        make(through(Changing(sell_out)))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(1, 500)))
def test_disks_hold_under_faults(connection: Connection, sandbox: SandboxControl, seed: int) -> None:
    run_under_faults(connection, sandbox, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_few_disks_hold_under_faults(connection: Connection, sandbox: SandboxControl, seed: int) -> None:
    run_under_faults(connection, sandbox, 10_000 + seed)


def run_under_faults(connection: Connection, sandbox: SandboxControl, seed: int) -> None:
    """Create and rename with 30 % faults, again and again, and look after each what there is."""
    chance = random.Random(seed)

    def attempt_under_faults(act: Callable[[], Disk]) -> Disk | PodsError:
        rule = {"fault": [*ACTS, *DOES_NOT], "probability": 0.3, "path": "/disks*"}
        fail(sandbox, rule, seed=chance.getrandbits(32))
        result = attempt(act)
        fail(sandbox)
        named = [disk for name in ("corpus", "texts") for disk in list_live(sandbox, name)]
        assert len(named) <= 1, "no disk is created twice"
        if isinstance(result, Disk):
            assert [(disk["id"], disk["name"]) for disk in named] == [(result.id, result.name)]
        elif "Nothing was created" in str(result):
            assert not named, f"it exists, and this says: {result}"
        elif "Nothing was renamed" in str(result):
            assert named[0]["name"] == "corpus", f"it is renamed, and this says: {result}"
        return result

    while not isinstance(
        first := attempt_under_faults(lambda: make(connection, settle_s=chance.choice((0.5, 2.0)))), Disk
    ):
        assert isinstance(first, (OutcomeUnknown, RateLimited)) or "Nothing was" in str(first), first
    for _ in range(2):
        attempt_under_faults(lambda: rename_disk(str(first.id), "texts", connection=connection))
