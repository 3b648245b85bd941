"""A create is sent once, and what came of it is found out: also after Ctrl-C, and after the kernel died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import (
    NameInUse,
    OutcomeUnknown,
    OutOfStock,
    PodFailed,
    PodsError,
    RequestRefused,
    ServiceUnavailable,
    WaitInterrupted,
)
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord
from primepods_magic.pods.launching.launch import launch, launch_many
from primepods_magic.pods.launching.naming import name_scope
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


class Breaking(httpx.HTTPTransport):
    """The network to a sandbox, which breaks at a create: before it arrives there, or after."""

    def __init__(self, *, arrives: bool) -> None:
        super().__init__(verify=False)
        self._arrives = arrives
        self.creates = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if is_create(request):
            self.creates += 1
            if self._arrives:
                super().handle_request(request).read()
            raise httpx.ReadTimeout("no answer", request=request)
        return super().handle_request(request)


def is_create(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.startswith("/api/v1/pods")


def names(connection: Connection) -> list[str | None]:
    return [pod.name for pod in connection.client.list_all_pods()]


def note_of(connection: Connection, name: str) -> LaunchJournal:
    return LaunchJournal(name_scope(connection, spec_from_mapping({"gpu": "L4_24GB"})), name)


def cut_off(connection: Connection, name: str, **changes: Any) -> LaunchJournal:
    """The note that a kernel leaves that was killed while it created a pod."""
    spec = spec_from_mapping({"gpu": "L4_24GB", "name": name})
    digest = plan_launch(connection, spec, new=True).digest
    intent = LaunchRecord(name, None, "L4_24GB", 1, digest, (), connection.now())
    note = note_of(connection, name)
    assert note.write(replace(intent, **changes))
    return note


def creates_of(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.BaseTransport:
    """The network to a sandbox, on which creates are answered so instead of arriving."""

    class Answering(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return answer(request) if is_create(request) else super().handle_request(request)

    return Answering()


def test_a_create_whose_answer_was_lost_is_found_and_not_sent_again(
    connection: Connection, through: Through
) -> None:
    http = Breaking(arrives=True)
    pod = launch(gpu="L4_24GB", name="train", connection=through(http))
    assert pod.name == "train"
    assert names(connection) == ["train"]
    assert http.creates == 1


def test_a_create_that_never_arrived_is_looked_for_and_not_sent_again(
    connection: Connection, through: Through
) -> None:
    http = Breaking(arrives=False)
    began = connection.clock.monotonic()
    with pytest.raises(ServiceUnavailable, match=r"'train' was not created.*within 60 s.*billed"):
        launch(gpu="L4_24GB", name="train", connection=through(http))
    connection.client.whoami()
    assert connection.clock.monotonic() - began >= 60
    assert names(connection) == []
    assert http.creates == 1


def test_an_older_pod_of_the_name_is_not_taken_for_the_new_one(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train")
    with pytest.raises(ServiceUnavailable, match="was not created"):
        launch(gpu="L4_24GB", name="train", new=True, connection=through(Breaking(arrives=False)))


def test_an_ended_pod_of_the_name_is_not_taken_for_the_new_one(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train").terminate()
    with pytest.raises(ServiceUnavailable, match="was not created"):
        launch(gpu="L4_24GB", name="train", connection=through(Breaking(arrives=False)))


def test_a_pod_that_ended_before_it_was_seen_is_found_in_the_history(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    class Reclaimed(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            try:
                return super().handle_request(request)
            finally:
                if is_create(request):
                    pod = connection.client.list_all_pods()[0]
                    connection.client.delete_pod(str(pod.id))
                    sandbox.advance(5)

    with pytest.raises(PodFailed, match=r"was created and has already ended"):
        launch(gpu="L4_24GB", name="train", connection=through(Reclaimed(arrives=True)))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(500),
        httpx.Response(500, json={"detail": "no longer any instances available"}),
        httpx.Response(503, json={"detail": "no capacity left in the queue"}),
        httpx.Response(409, json={"detail": "provider returned no capacity"}),
        httpx.Response(409, json={"detail": "A pod with this name already exists"}),
    ],
    ids=["a page", "no id", "500", "500 in words of capacity", "503", "409", "409 for the name"],
)
def test_a_create_with_a_bad_answer_is_found(
    connection: Connection, through: Through, answer: httpx.Response
) -> None:
    creates = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request):
            creates.append(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return response

    pod = launch(gpu="L4_24GB", name="train", connection=through(Changing(change)))
    assert [pod.name, *names(connection)] == ["train", "train"]
    assert len(creates) == 1


def test_a_create_refused_for_its_name_is_looked_for_and_reported_in_the_words_of_the_service(
    connection: Connection, through: Through
) -> None:
    taken = creates_of(lambda _: httpx.Response(409, json={"detail": "A pod with this name already exists"}))
    with pytest.raises(RequestRefused) as caught:
        launch(gpu="L4_24GB", name="train", connection=through(taken), settle_s=1)
    said = str(caught.value)
    assert "'train' was not created: the service refused it (HTTP 409) with: A pod with this name" in said
    assert (type(caught.value), caught.value.status_code) == (RequestRefused, 409)
    assert names(connection) == []


def test_a_response_that_names_another_pod_is_not_believed(connection: Connection, through: Through) -> None:
    other = launch(gpu="L4_24GB", name="other")

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return (
            httpx.Response(200, json={**response.json(), "id": other.id}) if is_create(request) else response
        )

    pod = launch(gpu="L4_24GB", name="train", connection=through(Changing(change)))
    assert pod.name == "train"
    assert pod.id != other.id
    assert sorted(map(str, names(connection))) == ["other", "train"]


@pytest.mark.parametrize("trouble", [429, 502, 401])
def test_a_lost_create_that_cannot_be_looked_for_is_unknown_and_found_by_the_next_run(
    connection: Connection, through: Through, trouble: int
) -> None:
    class Lost(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.creates and request.method == "GET":
                return httpx.Response(trouble, headers={"Retry-After": "3600"})
            return super().handle_request(request)

    with pytest.raises(OutcomeUnknown, match=r"'train'.*the search failed.*may exist and be billed"):
        launch(gpu="L4_24GB", name="train", connection=through(Lost(arrives=True)), settle_s=1)
    assert launch(gpu="L4_24GB", name="train", tell=lambda _: None).name == "train"
    assert names(connection) == ["train"]


@pytest.mark.parametrize("status", [409, 503])
def test_sold_out_names_the_nearest_alternatives_with_their_prices(
    connection: Connection, through: Through, status: int
) -> None:
    sold_out = creates_of(lambda _: httpx.Response(status, json={"detail": "no capacity for that"}))
    with pytest.raises(OutOfStock) as caught:
        launch(gpu="H100_80GB", name="train", connection=through(sold_out))
    said = str(caught.value)
    assert "no capacity for that" in said
    assert "'train' was not created. The nearest offers:" in said
    assert said.count("/h, $") == 3
    assert caught.value.status_code == status
    assert names(connection) == []


def test_a_kernel_that_died_after_the_create_left_a_note_that_finds_the_pod(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    cut_off(connection, "train")
    said: list[str] = []
    assert launch(gpu="L4_24GB", name="train", tell=said.append).id == pod.id
    assert said == ["The outcome of the last launch of 'train' is unknown; looking for its pod first"]


def test_a_kernel_that_died_before_the_create_only_costs_time(connection: Connection) -> None:
    cut_off(connection, "train")
    began = connection.clock.monotonic()
    launch(gpu="L4_24GB", name="train", tell=lambda _: None)
    assert connection.clock.monotonic() - began >= 59
    assert names(connection) == ["train"]


def test_a_note_that_cannot_be_followed_up_is_unknown_and_stays(
    connection: Connection, through: Through
) -> None:
    note = cut_off(connection, "train")

    def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(401) if "pods" in request.url.path else response

    with pytest.raises(OutcomeUnknown, match="may exist and be billed"):
        launch(gpu="L4_24GB", name="train", connection=through(Changing(refuse)), tell=lambda _: None)
    assert note.read() is not None


def test_one_more_of_a_name_that_was_cut_off_is_not_bought_twice(connection: Connection) -> None:
    first = launch(gpu="L4_24GB", name="train")
    second = launch(gpu="L4_24GB", name="train", new=True)
    cut_off(connection, "train", known_ids=(first.id,), pod_id=second.id)
    assert launch(gpu="L4_24GB", name="train", new=True).id == second.id
    assert launch(gpu="L4_24GB", name="train", new=True).id not in (first.id, second.id)


def test_a_pod_that_is_not_listed_yet_is_waited_for(connection: Connection, through: Through) -> None:
    """The service answered the create, and lists the pod only later."""
    looks = 0

    def hide(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal looks
        if request.method == "GET" and request.url.path == "/api/v1/pods/":
            looks += 1
            if looks < 5:
                return httpx.Response(200, json={"data": [], "total_count": 0})
        return response

    late = through(Changing(hide))
    pod = launch(gpu="L4_24GB", name="train", connection=late)
    assert launch(gpu="L4_24GB", name="train", connection=late).id == pod.id
    assert names(connection) == ["train"]


def test_a_name_is_free_at_once_when_its_pod_was_ended(connection: Connection) -> None:
    launch(gpu="L4_24GB", name="train").terminate()
    began = connection.clock.monotonic()
    launch(gpu="L4_24GB", name="train")
    assert connection.clock.monotonic() - began < 5


def test_a_create_that_was_refused_leaves_no_record(connection: Connection, through: Through) -> None:
    refusing = creates_of(lambda _: httpx.Response(402, json={"detail": "Insufficient funds"}))
    with pytest.raises(PodsError):
        launch(gpu="L4_24GB", name="train", connection=through(refusing))
    assert note_of(connection, "train").read() is None


def test_a_note_holds_no_secret_and_is_the_users_alone(
    connection: Connection, through: Through, home: Path
) -> None:
    secrets = {"env": {"TOKEN": "hunter2-hunter2"}, "jupyter_password": "correct-horse"}
    with pytest.raises(ServiceUnavailable):
        launch(
            gpu="L4_24GB",
            name="train",
            connection=through(Breaking(arrives=False)),
            settle_s=0,
            **secrets,
        )
    launch(gpu="L4_24GB", name="eval", **secrets)
    files = [path for path in home.rglob("launching/*") if path.suffix == ".json"]
    assert len(files) == 2
    for file in files:
        assert file.stat().st_mode & 0o077 == 0
        assert file.parent.stat().st_mode & 0o077 == 0
        assert "hunter2" not in file.read_text()
        assert "correct" not in file.read_text()


def test_two_computers_that_launch_a_name_at_once_are_told_how_to_end_one(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    elsewhere: list[str] = []

    def meanwhile(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request) and not elsewhere:
            elsewhere.append("")
            elsewhere[0] = sandbox.api.post("/api/v1/pods/", json=json.loads(request.read())).json()["id"]
        return response

    said: list[str] = []
    pod = launch(gpu="L4_24GB", name="twin", connection=through(Changing(meanwhile)), tell=said.append)
    assert len(said) == 1
    assert elsewhere[0] in said[0]
    assert f"{pod.id}, which this launch returns" in said[0]
    assert "'%pods rm ID' terminates" in said[0]
    with pytest.raises(NameInUse, match="%pods rm ID"):
        launch(gpu="L4_24GB", name="twin")


def test_a_failed_pod_is_replaced_when_asked_for(connection: Connection, sandbox: SandboxControl) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.advance(6)
    sandbox.event(pod.id, "fail_installation")
    with pytest.raises(PodFailed, match="--replace"):
        launch(gpu="L4_24GB", name="train")
    anew = launch(gpu="L4_24GB", name="train", replace_existing=True)
    assert anew.id != pod.id
    assert names(connection) == ["train"]


def test_a_pod_that_is_what_was_asked_for_is_not_replaced(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    assert launch(gpu="L4_24GB", name="train", replace_existing=True).id == pod.id
    assert launch(gpu="H100_80GB", name="train", replace_existing=True).id != pod.id
    assert len(names(connection)) == 1


def test_nothing_is_ended_where_nothing_can_be_had_instead(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    with pytest.raises(OutOfStock):
        launch(gpu="H100_80GB", count=3, name="train", replace_existing=True)
    assert connection.client.get_pod(pod.id).is_live


def test_kernels_that_launch_a_name_at_once_end_with_one_pod(
    connection: Connection, through: Through
) -> None:
    kernels = [through(httpx.HTTPTransport(verify=False)) for _ in range(6)]

    def run(kernel: Connection) -> Any:
        return launch(gpu="L4_24GB", name="twin", connection=kernel, tell=lambda _: None)

    with ThreadPoolExecutor(len(kernels)) as pool:
        pods = list(pool.map(run, kernels))
    assert len({pod.id for pod in pods}) == 1
    assert names(connection) == ["twin"]


def test_processes_that_launch_a_name_at_once_end_with_one_pod(
    connection: Connection, sandbox: SandboxControl
) -> None:
    script = (
        "from primepods_magic import connect, launch\n"
        "connect(sandbox=True); print(launch(gpu='L4_24GB', name='twin', tell=lambda _: None).id)"
    )
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    kernels = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert len({kernel.communicate(timeout=60)[0] for kernel in kernels}) == 1
    assert names(connection) == ["twin"]


def test_a_launch_goes_on_where_nothing_can_be_written_and_says_so(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    said: list[str] = []
    assert launch(gpu="L4_24GB", name="train", tell=said.append).name == "train"
    assert ["No record of this launch can be kept" in text for text in said] == [True]


def test_a_launch_goes_on_without_a_home(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("platformdirs.user_state_dir", nowhere)
    said: list[str] = []
    assert launch(gpu="L4_24GB", name="train", tell=said.append).name == "train"
    assert len(said) == 1


class Holding(httpx.HTTPTransport):
    """The network to a sandbox, on which the answer to a create is held back until it is let go."""

    def __init__(self, *, before: bool = False) -> None:
        super().__init__(verify=False)
        self.arrived, self.let_go = threading.Event(), threading.Event()
        self._before = before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        held = request.url.path.endswith("/history") if self._before else is_create(request)
        if not held:
            return super().handle_request(request)
        response = super().handle_request(request)
        response.read()
        self.arrived.set()
        assert self.let_go.wait(30)
        return response


def interrupt_when(arrived: threading.Event) -> threading.Thread:
    def run() -> None:
        assert arrived.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_ctrl_c_during_a_create_returns_at_once_and_the_next_run_joins_it(
    connection: Connection, through: Through
) -> None:
    http = Holding()
    held = through(http)
    interrupter = interrupt_when(http.arrived)
    with pytest.raises(OutcomeUnknown, match=r"Interrupted.*may exist and be billed.*Run this again"):
        launch(gpu="L4_24GB", name="train", connection=held)
    interrupter.join()
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(lambda: launch(gpu="L4_24GB", name="train", connection=held, tell=said.append))
        eventually(lambda: said, "the second run waits for the first")
        http.let_go.set()
        pod = again.result()
    assert said == ["'train' is already being launched; waiting for the result"]
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]


@pytest.mark.parametrize("specs", [["train"], ["train", "other"]], ids=["one", "two"])
def test_ctrl_c_while_another_launch_is_awaited_says_that_its_pod_may_exist(
    connection: Connection, through: Through, specs: list[str]
) -> None:
    http = Holding()
    held = through(http)
    interrupter = interrupt_when(http.arrived)
    with pytest.raises(OutcomeUnknown):
        launch(gpu="L4_24GB", name="train", connection=held)
    interrupter.join()
    is_told = threading.Event()
    interrupter = interrupt_when(is_told)
    with pytest.raises(OutcomeUnknown, match=r"an earlier launch of 'train', which may exist and be bil"):
        launch_many(
            [{"gpu": "L4_24GB", "name": name} for name in specs],
            connection=held,
            tell=lambda text: is_told.set() if "already being launched" in text else None,
        )
    interrupter.join()
    http.let_go.set()
    eventually(lambda: names(connection) == ["train"], "the first create has its pod")


def test_one_more_of_a_name_that_was_interrupted_is_joined_too(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train")
    http = Holding()
    held = through(http)
    interrupter = interrupt_when(http.arrived)
    with pytest.raises(OutcomeUnknown):
        launch(gpu="L4_24GB", name="train", new=True, connection=held)
    interrupter.join()
    http.let_go.set()
    launch(gpu="L4_24GB", name="train", new=True, tell=lambda _: None)
    assert len(names(connection)) == 2


def test_ctrl_c_before_a_create_leaves_nothing(connection: Connection, through: Through) -> None:
    http = Holding(before=True)
    interrupter = interrupt_when(http.arrived)
    with pytest.raises(WaitInterrupted, match="Nothing was created"):
        launch(gpu="L4_24GB", name="train", connection=through(http))
    interrupter.join()
    http.let_go.set()
    note = note_of(connection, "train")
    eventually(lambda: note.read() is None, "the interrupted launch has ended")
    assert names(connection) == []
