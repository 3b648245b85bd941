"""`%%pod_create` as a person types it: ceilings, `--replace`, Ctrl-C."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.pods.launching.journal.journal import LaunchJournal
from tests.support.sandbox_control import SandboxControl

CREATE = "%%pod_create\nname: train\ngpu: L4_24GB"


def test_a_ceiling_set_in_the_notebook_holds(shell: Any) -> None:
    shell.run("%config PodsMagics.max_price_usd_hr = 0.5")
    with pytest.raises(errors.BudgetExceeded, match="max_price_usd_hr"):
        shell.run(CREATE)
    shell.run("%config PodsMagics.max_price_usd_hr = None")
    shell.run("%config PodsMagics.max_burn_usd_hr = 0.7")
    shell.run(CREATE)
    with pytest.raises(errors.BudgetExceeded, match="max_burn_usd_hr"):
        shell.run(CREATE.replace("train", "eval"))
    assert list(shell.run("%pods ls")["name"]) == ["train"]


def test_replace_ends_what_differs_and_launches_anew(shell: Any) -> None:
    first = shell.run(CREATE)
    with pytest.raises(errors.NameInUse, match="--replace"):
        shell.run(CREATE.replace("L4_24GB", "H100_80GB"))
    second = shell.run(CREATE.replace("create\n", "create --replace\n").replace("L4_24GB", "H100_80GB"))
    assert first.id != second.id
    assert list(shell.run("%pods ls")["gpu"]) == ["H100_80GB"]


def test_new_and_replace_exclude_each_other(shell: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="Use either --new or --replace"):
        shell.run(CREATE.replace("create\n", "create --new --replace\n"))


def test_a_dry_run_of_a_replacement_says_what_it_would_end_and_ends_nothing(
    shell: Any, sandbox: SandboxControl
) -> None:
    pod = shell.run(CREATE)
    sandbox.advance(6)
    sandbox.event(pod.id, "fail_installation")
    shell.run(CREATE.replace("create\n", "create --replace --dry-run\n"))
    assert f"first, the current 'train' ({pod.id}) is terminated" in shell.output.stdout
    assert list(shell.run("%pods ls")["id"]) == [pod.id]


def test_a_dry_run_reports_that_the_existing_pod_is_above_its_agreed_price_and_ends_nothing(
    shell: Any,
) -> None:
    pod = shell.run(CREATE)
    ((journal, record),) = LaunchJournal.find_records([pod.id])
    journal.write(replace(record, agreed_usd_hr=0.1, is_price_kept=False))
    shell.run(CREATE.replace("create\n", "create --dry-run\n"))
    assert (
        "$0.69/h, above the $0.10/h that you agreed to. A dry run terminates nothing" in shell.output.stdout
    )
    shell.run(CREATE.replace("create\n", "create --dry-run\n") + "\nmax_price: 0.7")
    assert "above" not in shell.output.stdout
    assert [pod.id] == [live.id for live in pod.connection.client.list_all_pods()]


@pytest.mark.parametrize("status", ["PROVISIONING", "TERMINATED"])
def test_suggests_to_wait_only_for_a_pod_that_has_not_ended(
    shell: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    send = httpx.HTTPTransport.handle_request

    def change(http: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        response = send(http, request)
        if request.url.path.rstrip("/") != "/api/v1/pods":
            return response
        response.read()
        answer = response.json()
        for pod in answer.get("data", [answer]):
            pod["status"] = status
        return httpx.Response(200, json=answer)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", change)
    assert shell.run(CREATE).status == status
    assert ("Run '%pods wait train'" in shell.output.stdout) is (status == "PROVISIONING")
