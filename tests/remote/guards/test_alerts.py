"""Alerts and launches that wait for stock: told once, launched once, and nothing secret in any file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import (
    InvalidRequest,
    LaunchRefused,
    NotFound,
    OutOfStock,
    PodsError,
    RateLimited,
    StockAwaited,
)
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.alert_records import AlertRecord, list_alert_records
from primepods_magic.pods.guards.alerts import add_alert, end_alert, list_alerts
from primepods_magic.pods.guards.arming import keep_guards
from primepods_magic.pods.guards.records import find_account_folder, list_records
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.remote.guards.stock import StockReader
from tests.pods.test_launch import names
from tests.support.guard_processes import end_guard_processes, guard_files, running_guards
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

SECRET = "wandb-Zk8Qw3Vt6Rm1Xp9"


@pytest.fixture
def connection(sandbox: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    yield connect(sandbox=True)
    disconnect()
    end_guard_processes(home)
    assert running_guards(home) == []


def stock(sandbox: SandboxControl, gpu_type: str, word: str) -> None:
    """Sell out all offers of a GPU type, or put them back."""
    offers = sandbox.api.get("/api/v1/availability/gpus", params={"gpu_type": gpu_type}).json()["items"]
    for cloud_id in {offer["cloudId"] for offer in offers}:
        assert sandbox.api.put("/sandbox/offers", json={"cloud_id": cloud_id, "stock": word}).is_success


def state_of(connection: Connection, alert: AlertRecord) -> str:
    records = list_alert_records(find_account_folder(connection))
    return next(record.state for record in records if record.id == alert.id)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_alert_tells_at_the_edge_survives_a_kill_and_never_rents(
    connection: Connection, sandbox: SandboxControl, home: Path, tmp_path: Path
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    told = tmp_path / "told.jsonl"
    notify = f"(cat; echo) >> {told}"
    alert = add_alert(gpu="L4", max_price=1, notify=notify)
    assert (alert.state, alert.what) == ("watching", "1 × L4_24GB, up to $1.00/h")
    assert add_alert(gpu="L4_24GB", max_price=1, notify=notify).id == alert.id
    stock(sandbox, "L4_24GB", "Low")
    (first,) = eventually(lambda: lines_of(told), "the offer is told")
    assert {key: first[key] for key in ("event", "alert", "gpu", "price_usd_hr")} == {
        "event": "offer",
        "alert": alert.id,
        "gpu": "L4_24GB",
        "price_usd_hr": 0.69,
    }
    (seen,) = list_alerts()
    assert (seen.state, seen.price_usd_hr) == ("offered", 0.69)
    assert any("An offer fits the alert for 1 × L4_24GB" in line for line in keep_guards(connection))
    # Whoever kills the process ends no alert: the next command starts it again.
    end_guard_processes(home)
    stock(sandbox, "L4_24GB", "Unavailable")
    assert "1 alert was ended, and was started again" in keep_guards(connection)[-1]
    eventually(lambda: state_of(connection, alert) == "watching", "the offer is gone")
    assert len(lines_of(told)) == 1
    stock(sandbox, "L4_24GB", "High")
    eventually(lambda: len(lines_of(told)) == 2, "it is told again")
    assert names(connection) == []
    end_alert(alert.id[:4])
    assert list_alerts() == []
    assert [path.name for path in guard_files(home) if path.parent.name == "alerts"] == []


def test_a_poll_that_fails_is_no_news_of_absence(
    connection: Connection, sandbox: SandboxControl, tmp_path: Path
) -> None:
    told = tmp_path / "told.jsonl"
    alert = add_alert(gpu=["L4_24GB", "H100_80GB"], notify=f"(cat; echo) >> {told}")
    assert alert.state == "offered"
    sandbox.api.put("/sandbox/faults", json=[{"fault": "503_before", "method": "GET", "probability": 1.0}])
    eventually(lambda: list_alert_records(find_account_folder(connection))[0].trouble, "it fails")
    sandbox.api.put("/sandbox/faults", json=[])
    checked = alert.checked_at
    eventually(lambda: not list_alert_records(find_account_folder(connection))[0].trouble, "it works again")
    assert checked is not None
    assert state_of(connection, alert) == "offered"
    eventually(lambda: lines_of(told), "it was told")
    assert len(lines_of(told)) == 1


def test_polls_are_one_request_for_each_query_and_slow_down_after_failures() -> None:
    asked: list[str] = []
    answers = [200]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["gpu_type"])
        if answers[0] != 200:
            return httpx.Response(answers[0], headers={"Retry-After": "120"} if answers[0] == 429 else {})
        return httpx.Response(200, json={"items": [], "totalCount": 0})

    fields = [{"gpu": "L4_24GB"}, {"gpu": "L4_24GB", "max_price": 1}, {"gpu": "L4_24GB,H100_80GB"}]
    specs = {str(number): spec_from_mapping(each) for number, each in enumerate(fields)}
    reader = StockReader()
    with Client(Settings("http://127.0.0.1:9", "k"), http=httpx.MockTransport(answer)) as client:
        assert set(reader.read(client, specs).values()) == {None}
        assert sorted(asked) == ["H100_80GB", "L4_24GB"]
        reader.read(client, specs)
        assert len(asked) == 2
        assert 30 <= reader.find_delay_s(is_sandbox=False) <= 37.5
        assert reader.find_delay_s(is_sandbox=True) < 1
        answers[0] = 503
        delays = []
        for _ in range(8):
            reader.begin_round()
            assert all(isinstance(found, PodsError) for found in reader.read(client, specs).values())
            delays.append(reader.find_delay_s(is_sandbox=False))
        assert len(asked) == 2 + 2 * 8
        assert 60 <= delays[0] <= 75
        assert 600 <= delays[-1] <= 750
        answers[0] = 429
        reader.begin_round()
        assert any(isinstance(found, RateLimited) for found in reader.read(client, specs).values())
        answers[0] = 200
        reader.begin_round()
        reader.read(client, specs)
        assert reader.find_delay_s(is_sandbox=False) <= 37.5


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (add_alert, InvalidRequest, "'gpu' is required"),
        (lambda: add_alert(gpu="H900_80GB"), InvalidRequest, "no GPU type 'H900_80GB'"),
        (lambda: add_alert(gpu="L4_24GB", notify="a\0b"), InvalidRequest, "null character"),
        (lambda: add_alert(gpu="L4_24GB", notify=3), InvalidRequest, "a shell command"),
        (lambda: end_alert("zz"), NotFound, "no such alert"),
        (lambda: end_alert(""), NotFound, "no such alert"),
        (lambda: wait_for("2h"), LaunchRefused, "must be agreed to now.*max_price"),
        (lambda: wait_for("2h", yes=True), LaunchRefused, "max_price_usd_hr"),
        (lambda: wait_for("2h", limits=Limits(max_price_usd_hr=2)), LaunchRefused, "yes=True"),
        (lambda: wait_for("soon", max_price=1), InvalidRequest, "'soon' is not a length of time"),
        (lambda: wait_for(0, max_price=1), InvalidRequest, "above 0"),
        (lambda: wait_for("2h", max_price=1, new=True), InvalidRequest, "one pod"),
        (lambda: wait_for("2h", max_price=1, replace_existing=True), InvalidRequest, "one pod"),
    ],
)
def test_what_cannot_be_watched_or_agreed_to_is_refused_before_anything(
    connection: Connection, home: Path, call: Callable[[], object], kind: type[PodsError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        call()
    assert names(connection) == []
    assert running_guards(home) == []


def wait_for(span: Any, **fields: Any) -> object:
    return launch(gpu="L4_24GB", name="train", wait_for_stock=span, **fields)


def test_a_launch_that_waits_is_one_pod_with_its_guard_and_no_secret_in_any_file(
    connection: Connection, sandbox: SandboxControl, home: Path
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    spec = {"gpu": "L4_24GB", "name": "train", "max_price": 1, "for": "4h", "env": {"WANDB_API_KEY": SECRET}}
    with pytest.raises(StockAwaited, match=r"'train' waits for stock until .*at most \$1\.00/h.*--off"):
        launch(spec, wait_for_stock="2h")
    with pytest.raises(StockAwaited, match="'train' already waits"):
        launch(spec, wait_for_stock="2h")
    (record,) = list_alerts()
    assert record.state == "waiting"
    assert record.order is not None
    assert record.order.has_secrets
    seen_at = record.checked_at
    eventually(
        lambda: (
            list_alert_records(find_account_folder(connection))[0].checked_at not in (None, seen_at)
            or seen_at
        ),
        "it polls",
    )
    (pid,) = running_guards(home)
    searched = [*guard_files(home), Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")]
    assert [path for path in searched if SECRET.encode() in path.read_bytes()] == []
    stock(sandbox, "L4_24GB", "Low")
    eventually(lambda: state_of(connection, record) == "launched", "it is launched")
    (pod,) = connection.client.list_all_pods()
    assert (pod.name, pod.price_hr) == ("train", 0.69)
    assert [guard.pod for guard in list_records(find_account_folder(connection))] == ["train"]
    assert running_guards(home) == [pid]
    news = " ".join(keep_guards(connection))
    assert "'train' was launched" in news
    assert "ends by itself" in news
    assert launch(spec, wait_for_stock="2h").id == pod.id
    assert [path for path in guard_files(home) if SECRET.encode() in path.read_bytes()] == []
    assert names(connection) == ["train"]


def test_a_launch_that_waits_takes_any_gpu_with_enough_memory(
    connection: Connection, sandbox: SandboxControl
) -> None:
    # The only type with 48 GB below this price.
    stock(sandbox, "A40_48GB", "Unavailable")
    spec = {"min_vram": 48, "name": "any", "max_price": 0.45}
    with pytest.raises(StockAwaited, match="'any' waits for stock"):
        launch(spec, wait_for_stock="2h")
    (record,) = list_alerts()
    assert record.what == "1 × any GPU, min_vram 48, up to $0.45/h, to launch 'any'"
    stock(sandbox, "A40_48GB", "Low")
    eventually(lambda: state_of(connection, record) == "launched", "it is launched")
    assert [pod.gpu_name for pod in connection.client.list_all_pods()] == ["A40_48GB"]
    assert launch(spec, wait_for_stock="2h").is_new is False
    assert names(connection) == ["any"]


def test_what_waits_ends_with_its_time_with_its_process_or_with_a_pod(
    connection: Connection, sandbox: SandboxControl, home: Path
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    for name, more in (("over", {}), ("lost", {"env": {"A": SECRET}}), ("kept", {}), ("other", {})):
        span = "1h" if name == "over" else "9h"
        with pytest.raises(StockAwaited):
            launch({"gpu": "L4_24GB", "name": name, "max_price": 1, **more}, wait_for_stock=span)
    for team in connection.client.list_teams()[:2]:
        with pytest.raises(StockAwaited, match="'other' waits"):
            launch(gpu="L4_24GB", name="other", max_price=1, team=team.team_id, wait_for_stock="9h")
    waiting = [record for record in list_alerts() if record.order and record.order.name == "other"]
    assert len({record.team_id for record in waiting}) == 3, "names are taken in each team by itself"
    for record in waiting:
        if record.team_id is not None:
            end_alert(record)
    # A pod that came otherwise ends the waiting, or it would be rented once more when it is terminated.
    other = launch(gpu="L4_24GB,H100_80GB", name="other")
    assert sorted(record.order.name for record in list_alerts() if record.order) == ["kept", "lost", "over"]
    other.terminate()
    sandbox.advance(3700)
    eventually(lambda: _states(connection)["over"] == "over", "its time is over")
    end_guard_processes(home)
    assert keep_guards(connection)
    eventually(lambda: _states(connection)["lost"] == "lost", "its secrets are lost")
    news = " ".join(keep_guards(connection))
    assert "'over' waits no more" in news or _states(connection)["over"] == "over"
    stock(sandbox, "L4_24GB", "Low")
    eventually(lambda: _states(connection)["kept"] == "launched", "what has no secrets goes on")
    assert names(connection) == ["kept"]
    for alert in list_alerts():
        end_alert(alert)
    assert list_alerts() == []


def _states(connection: Connection) -> dict[str, str]:
    records = list_alert_records(find_account_folder(connection))
    return {record.order.name: record.state for record in records if record.order}


SCRIPT = """
from primepods_magic import connect, launch
connect(sandbox=True)
launch(gpu="L4_24GB", name="train", max_price=1, wait_for_stock="2h")
"""


def test_what_waits_outlives_the_program_that_launched_it(
    connection: Connection, sandbox: SandboxControl
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(r"StockAwaited: 'train' waits .* list_alerts\(\) shows .* end_alert\('", done.stderr)
    stock(sandbox, "L4_24GB", "Low")
    eventually(lambda: _states(connection)["train"] == "launched", "it is launched")
    assert names(connection) == ["train"]


def test_running_it_again_all_the_while_makes_one_pod(
    connection: Connection, sandbox: SandboxControl
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")

    def run_again() -> str:
        try:
            return launch(gpu="L4_24GB", name="train", max_price=1, wait_for_stock="2h").id
        except StockAwaited:
            return ""

    assert run_again() == ""
    with ThreadPoolExecutor() as pool:
        restocked = pool.submit(stock, sandbox, "L4_24GB", "Low")
        pod_id = eventually(run_again, "there is a pod", every=0)
        restocked.result()
    assert run_again() == pod_id
    assert [pod.id for pod in connection.client.list_all_pods()] == [pod_id]
    eventually(lambda: "waiting" not in _states(connection).values(), "the waiting ends")


def test_out_of_stock_without_a_waiting_starts_nothing(
    connection: Connection, sandbox: SandboxControl, home: Path
) -> None:
    stock(sandbox, "L4_24GB", "Unavailable")
    with pytest.raises(OutOfStock) as caught:
        launch(gpu="L4_24GB", max_price=1)
    assert not isinstance(caught.value, StockAwaited)
    assert running_guards(home) == []
