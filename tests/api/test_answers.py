"""Every shape that the service is known to answer with is read as what it means."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.fields.ssh_target import read_connections
from primepods_magic.api.http.parsing import read_error, read_logs, read_model, read_page, read_status
from primepods_magic.api.models import HistoryRow, Offer, PodDetails

DATA = Path(__file__).parents[1] / "data"


def load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", load("22-ssh-connections"), ids=lambda case: str(case["value"])[:40])
def test_a_connection_is_read_from_every_shape_and_an_injected_option_is_refused(
    case: dict[str, Any],
) -> None:
    read = [target and vars(target) for target in read_connections(case["value"])]
    assert read == case["expect"]


SAID = [
    "Missing field: max_price not specified",
    "Missing field: data_center_id not specified",
    "Invalid token",
    None,
    "Insufficient balance",
    "Not authenticated",
    "Pod not found",
    "Method Not Allowed",
    "provider returned no capacity",
    "pod.gpuCount: Input should be greater than 0; pod.colour: Extra inputs are not permitted",
    "pod.gpuCount: Input should be greater than 0",
    "bad request",
    "Too many requests.",
    "Internal Server Error",
    None,
    None,
    "temporarily unavailable",
    "nested error object",
    None,
    None,
]


@pytest.mark.parametrize(
    ("case", "said"), list(zip(load("20-errors"), SAID, strict=True)), ids=lambda x: str(x)[:30]
)
def test_an_error_body_is_read_in_every_form(case: dict[str, Any], said: str | None) -> None:
    body = case["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    assert read_error(text, case.get("content_type", "application/json")) == said


def test_a_validation_error_never_repeats_what_was_sent() -> None:
    body = {"detail": [{"loc": ["body", "pod", "jupyterPassword"], "msg": "too short", "input": "hunter2"}]}
    assert read_error(json.dumps(body), "application/json") == "pod.jupyterPassword: too short"


def test_control_and_direction_characters_of_an_error_do_nothing() -> None:
    assert read_error('{"detail": "a\\u001b[31mb\\u202ec\\nd"}', "application/json") == "a�[31mb�c d"


def test_the_pages_example_list_is_read_with_its_numbers_as_text() -> None:
    page = read_page(PodDetails, load("02-pods-list-seed-shape"))
    pod = page.items[0]
    assert page.total == 1
    assert (pod.name, pod.gpu_name, pod.price_hr, pod.status) == (
        "seed shaped pod",
        "H100_80GB",
        2.34,
        PodStatus.ACTIVE,
    )
    assert pod.resources is not None
    assert (pod.resources.memory, pod.resources.disk, pod.resources.vcpus) == (128, 200, 16)
    assert pod.is_ready


def test_a_published_status_batch_is_read_in_the_specifications_words() -> None:
    entries = read_status(load("04-status-batch-published"))
    assert [entry.installation_status for entry in entries] == [
        InstallationStatus.COMPLETE,
        InstallationStatus.IN_PROGRESS,
        InstallationStatus.FAILED,
    ]


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"data": x}, lambda x: {"data": [x]}])
def test_a_status_is_read_alone_in_a_list_and_under_data(wrap: Any) -> None:
    one = load("05-status-single-object-seed")
    (entry,) = read_status(wrap(one))
    assert (entry.key, entry.price_hr, entry.status) == (one["podId"], 2.71, PodStatus.ACTIVE)


@pytest.mark.parametrize("nothing", [{"data": None, "status": None}, {}, {"data": []}, []])
def test_a_status_of_nothing_is_empty(nothing: Any) -> None:
    assert read_status(nothing) == []


def test_a_node_that_is_not_up_keeps_a_multi_node_pod_from_being_ready() -> None:
    pod = read_model(PodDetails, load("06-pod-multinode-lists"))
    assert [target and target.host for target in pod.connections] == ["203.0.113.41", None]
    assert pod.installation_status is InstallationStatus.IN_PROGRESS
    assert not pod.is_ready


def test_a_node_that_is_not_listed_yet_keeps_a_multi_node_pod_from_being_ready() -> None:
    pod = {**load("06-pod-multinode-lists"), "installationStatus": "FINISHED"}
    up = ["ubuntu@203.0.113.41 -p 22", "ubuntu@203.0.113.42 -p 22"]
    for known in (up[:1], up[0]):
        waiting = read_model(PodDetails, {**pod, "sshConnection": known})
        assert (waiting.nodes, waiting.connections[1:], waiting.is_ready) == (2, (None,), False)
    assert read_model(PodDetails, {**pod, "sshConnection": up}).is_ready
    # One machine with two addresses is not two machines.
    single = {**pod, "sshConnection": up[0], "clusterId": None}
    assert (read_model(PodDetails, single).nodes, read_model(PodDetails, single).is_ready) == (1, True)


@pytest.mark.parametrize("stated", [16, 8])
def test_counts_the_gpus_of_all_nodes_whether_the_service_states_those_of_one_or_of_all(stated: int) -> None:
    pod = {**load("06-pod-multinode-lists"), "gpuCount": stated}
    assert read_model(PodDetails, pod).total_gpus == 16
    assert read_model(PodDetails, {**pod, "sshConnection": None, "ip": None}).nodes is None


def test_unknown_words_are_kept_and_never_taken_for_ready() -> None:
    pod = read_model(PodDetails, load("08-pod-unknown-enums"))
    assert (pod.status, pod.installation_status, pod.gpu_name) == ("MIGRATING", "QUEUED", "VR200_288GB")
    assert pod.prime_port_mapping[1].internal == "8888"
    assert pod.jupyter_url == "http://203.0.113.20:31001"
    assert pod.is_live
    assert not pod.is_ready
    assert not pod.is_settled
    assert pod.model_extra is not None
    assert pod.model_extra["newTopLevelField"] == {"nested": [1, 2, 3]}


def test_an_awkward_history_is_read_with_times_in_utc() -> None:
    rows = read_page(HistoryRow, load("12-history-awkward")).items
    assert rows[0].terminated_at is None
    assert rows[3].created_at == datetime(2026, 8, 1, tzinfo=timezone.utc)
    assert rows[4].created_at == datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)
    assert rows[5].total_billed_price == 712.5


def test_awkward_offers_are_read_without_inventing_prices() -> None:
    page = read_page(Offer, load("14-availability-awkward"))
    assert (len(page.items), page.total) == (5, 9)
    assert [offer.price_hr for offer in page.items] == [None, 2.34, None, 2.34, 2.39]
    assert page.items[0].gpu_memory == 287.5
    assert page.items[2].vcpu.default_count == 16
    assert page.items[2].disk.default_count is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-14T08:00:00Z", datetime(2026, 9, 14, 8)),
        ("2026-09-14 08:00:00", datetime(2026, 9, 14, 8)),
        ("2026-09-14T10:00:00+02:00", datetime(2026, 9, 14, 8)),
        ("2026-09-14T08:00:00.123456789Z", datetime(2026, 9, 14, 8, 0, 0, 123456)),
        ("yesterday", None),
        (17, None),
    ],
)
def test_a_time_is_read_in_every_form_as_utc(text: object, moment: datetime | None) -> None:
    pod = read_model(PodDetails, {"createdAt": text})
    assert pod.created_at == (moment and moment.replace(tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("a\nb", "a\nb"),
        (["a", "b\n"], "a\nb"),
        ([{"timestamp": "08:00", "message": "boot"}], "08:00 boot"),
        ({"logs": "a"}, "a"),
        ({"data": {"lines": ["a", "b"]}}, "a\nb"),
        (None, ""),
        ({"odd": 1}, '{"odd": 1}'),
    ],
)
def test_logs_are_read_in_every_form(payload: object, text: str) -> None:
    assert read_logs(payload) == text


@pytest.mark.parametrize("payload", [[], "text", None, 7, {"id": "p-1", "\ud800": 1}])
def test_what_is_no_pod_is_an_error_of_ours(payload: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        read_model(PodDetails, payload)


@pytest.mark.parametrize("payload", ["text", 7, {"data": "text"}, {"name": "no list"}])
def test_what_is_no_list_is_an_error_of_ours(payload: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        read_page(PodDetails, payload)


READY = {"status": "ACTIVE", "sshConnection": "root@203.0.113.9", "installationStatus": "COMPLETE"}


@pytest.mark.parametrize(
    ("change", "ready"),
    [
        ({}, True),
        ({"installationStatus": "FINISHED"}, True),
        ({"installationStatus": None, "installationProgress": 100}, True),
        ({"installationStatus": None, "installationProgress": 99}, False),
        ({"installationStatus": "ACTIVE"}, False),
        ({"installationStatus": "TERMINATED"}, False),
        ({"sshConnection": None}, False),
        ({"sshConnection": ["root@203.0.113.9", None]}, False),
        ({"sshConnection": ["root@203.0.113.9", "root@203.0.113.10"]}, True),
        (
            {
                "sshConnection": None,
                "ip": "203.0.113.9",
                "primePortMapping": [{"external": "2222", "usedBy": "SSH"}],
            },
            True,
        ),
        *[({"status": str(status)}, False) for status in PodStatus if status != PodStatus.ACTIVE],
    ],
)
def test_ready_is_active_connected_and_installed(change: dict[str, Any], ready: bool) -> None:
    assert read_model(PodDetails, {**READY, **change}).is_ready is ready


def test_a_status_entry_updates_a_pod_and_keeps_what_it_leaves_out() -> None:
    pod = read_model(PodDetails, {**READY, "id": "p", "name": "train", "priceHr": 2.0})
    (entry,) = read_status({"podId": "p", "status": "STOPPED", "sshConnection": [None], "costPerHr": 0.5})
    after = pod.updated(entry)
    assert (after.name, after.status, after.price_hr) == ("train", PodStatus.STOPPED, 0.5)
    assert after.installation_status is InstallationStatus.COMPLETE
    assert after.connections == ()


def test_a_password_in_an_answer_is_in_no_repr_and_no_dump() -> None:
    pod = read_model(
        PodDetails, {"jupyterPassword": "hunter2", "envVars": [{"key": "A", "value": "hunter2"}]}
    )
    assert "hunter2" not in repr(pod)
    assert "hunter2" not in pod.model_dump_json()
    assert b"hunter2" not in pickle.dumps(pod)


def test_a_token_in_an_address_or_in_an_unknown_field_is_not_shown() -> None:
    ports = [{"internal": "8888", "external": "https://x.test/lab?token=hunter2#hunter2"}]
    pod = read_model(PodDetails, {"primePortMapping": ports, "jupyterToken": "hunter2"})
    assert pod.jupyter_url == "https://x.test/lab"
    assert "hunter2" not in repr(pod)
