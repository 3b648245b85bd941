"""What a create has sent is in no text of what the service says of pods from then on."""

from __future__ import annotations

import json
import pickle
import re
import time
from typing import Any

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import OutOfStock, PodsError
from primepods_magic.api.fields.undocumented import without_secrets
from primepods_magic.api.models import PodDetails, PodStatusEntry
from primepods_magic.api.requests import CreateRequest
from primepods_magic.api.secrets.redaction import MAX_SEARCHED
from primepods_magic.api.settings import Settings
from tests.support.secrets import Search

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
PASSPHRASE = "correct-horse-battery-staple"
PASSWORD = "hunter2-hunter2"
SECRETS = {"token": TOKEN, "passphrase": PASSPHRASE, "password": PASSWORD}


class Service:
    """Answers every request with what it was given last."""

    def __init__(self) -> None:
        self.answer: Any = {"id": "p1", "name": "train"}
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.answer, str):
            return httpx.Response(200, text=self.answer)
        return httpx.Response(self.status, json=self.answer)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service) -> Any:
    with Client(Settings("https://pods.test", "pit_key"), http=httpx.MockTransport(service)) as client:
        yield client


def create(client: Client, env: dict[str, str] | None = None, **pod: Any) -> PodDetails:
    env = (
        env if env is not None else {"HF_TOKEN": TOKEN, "WORDS": PASSPHRASE, "MODE": "ACTIVE", "N": "100000"}
    )
    body = {
        "pod": {
            "name": "train",
            "cloudId": "n3",
            "gpuType": "H100_80GB",
            "socket": "PCIe",
            "gpuCount": 1,
            "jupyterPassword": PASSWORD,
            "envVars": [{"key": key, "value": value} for key, value in env.items()],
            **pod,
        },
        "provider": {"type": "hyperstack"},
    }
    return client.create_pod(CreateRequest.model_validate(body))


def told(secret: str) -> dict[str, Any]:
    return {
        "id": "p1",
        "name": "train",
        "status": "ACTIVE",
        "installationFailure": f"docker run -e A={secret} failed near {secret[:14]}…",
    }


@pytest.mark.parametrize("name", SECRETS)
def test_hides_it_in_the_reason_of_a_failure(client: Client, service: Service, name: str) -> None:
    service.answer = told(SECRETS[name])
    pods = [create(client)]
    service.answer = {"data": [told(SECRETS[name])], "total_count": 1}
    pods += client.list_all_pods()
    service.answer = told(SECRETS[name])
    pods.append(client.get_pod("p1"))
    service.answer = {"data": [{"podId": "p1", **told(SECRETS[name])}]}
    pods.append(pods[0].updated(*client.pod_status(["p1"])))
    for pod in pods:
        assert pod.installation_failure == "docker run -e A=*** failed near ***…"
        assert (pod.id, pod.name, pod.status) == ("p1", "train", "ACTIVE")


@pytest.mark.parametrize("field", ["gpuName", "status", "installationStatus", "providerType", "anything"])
def test_hides_it_in_other_texts_of_a_pod(client: Client, service: Service, field: str) -> None:
    service.answer = {"id": "p1", "name": "train", field: f"is {TOKEN}"}
    search = Search(SECRETS)
    for pod in (create(client), client.get_pod("p1")):
        search.look_at_object("pod", pod)
    search.verdict(least=10)


@pytest.mark.parametrize("form", [{"logs": f"a\nHF_TOKEN={TOKEN}\nb"}, [f"HF_TOKEN={TOKEN}"], f"x {TOKEN}\n"])
def test_hides_it_in_logs(client: Client, service: Service, form: Any) -> None:
    create(client)
    service.answer = form
    shown = client.pod_logs("p1")
    assert "***" in shown
    assert TOKEN not in shown


def test_of_a_log_no_more_is_searched_than_is_shown(client: Client, service: Service) -> None:
    create(client)
    service.answer = f"step HF_TOKEN={TOKEN} of many\n" * 200_000
    began = time.process_time()
    assert client.pod_logs("p1", tail=2) == "step HF_TOKEN=*** of many\nstep HF_TOKEN=*** of many"
    assert len(client.pod_logs("p1", keep=300).splitlines()) == 300
    assert time.process_time() - began < 0.8


@pytest.mark.parametrize("written", [TOKEN, "".join(f"\\u{ord(char):04x}" for char in TOKEN)])
def test_a_secret_that_the_cut_goes_through_is_hidden(client: Client, written: str) -> None:
    create(client)
    text = "a" * 10_000 + written + "b" * 1_000
    for size in range(950, 1_050 + len(written), 7):
        shown = client.session.hide_end(text, size)
        assert shown.endswith("b" * 700)
        assert len(shown) <= size
        assert not re.search(r"hf_|[0-9]", shown)


def test_hides_it_in_a_later_refusal(client: Client, service: Service) -> None:
    create(client)
    service.status, service.answer = 400, {"detail": f"pod of {TOKEN} and {PASSPHRASE}"}
    with pytest.raises(PodsError, match=r"pod of \*\*\* and \*\*\*"):
        client.get_pod("p1")


def test_a_value_that_is_a_word_of_the_service_does_not_change_what_a_refusal_is(
    client: Client, service: Service
) -> None:
    service.status, service.answer = 400, {"detail": "There is no capacity"}
    with pytest.raises(OutOfStock, match=r"There is no \*\*\*"):
        create(client, {"A": "capacity"})


def test_ids_names_addresses_and_known_words_stay(client: Client, service: Service) -> None:
    create(
        client,
        {
            "API_TOKEN": "10.0.0.1-10.0.0.1-1",
            "MODE": "ACTIVE",
            "KEY_ID": "0123456789abcdef0123",
            "A": "25.00",
        },
    )
    service.answer = {
        "id": "0123456789abcdef0123",
        "name": "0123456789abcdef0123",
        "teamId": "0123456789abcdef0123",
        "status": "ACTIVE",
        "priceHr": "25.00",
        "sshConnection": "root@10.0.0.1-10.0.0.1-1 -p 22",
    }
    pod = client.get_pod("0123456789abcdef0123")
    assert pod.id == pod.name == pod.team_id == "0123456789abcdef0123"
    assert (pod.status, pod.price_hr) == ("ACTIVE", 25.0)
    assert pod.ssh_connection == "root@10.0.0.1-10.0.0.1-1 -p 22"


HOST = "abcd1234efgh5678.proxy.example"


@pytest.mark.parametrize(
    ("field", "said", "shown"),
    [
        ("external", f"https://jupyter:{PASSWORD}@{HOST}:8888/", f"https://{HOST}:8888/"),
        ("external", f"https://{HOST}:8888/t/{PASSWORD}/lab", f"https://{HOST}:8888/t/***/lab"),
        ("external", f"{HOST}:8888/t/{PASSWORD}?token={TOKEN}", f"{HOST}:8888/t/***"),
        ("external", f"https://203.0.113.9/hunter2%2Dhunter2/{TOKEN}", "https://203.0.113.9/***/***"),
        ("external", "31001", "31001"),
        ("internal", f"8888 {PASSWORD}", "8888 ***"),
        ("ip", f"203.0.113.9 (password {PASSWORD})", "203.0.113.9 (password ***)"),
        ("ip", [f"{HOST} {HOST}", PASSWORD], [f"{HOST} ***", "***"]),
        (
            "sshConnection",
            f"sshpass -p {PASSWORD} ssh root@{HOST} -p 22",
            f"sshpass -p *** ssh root@{HOST} -p 22",
        ),
        ("sshConnection", f"root@{HOST} -p 22, root@{HOST}", f"root@{HOST} -p 22, root@{HOST}"),
        ("sshConnection", {"host": HOST, "note": TOKEN}, {"host": HOST, "note": "***"}),
    ],
)
def test_hides_it_in_addresses_but_for_their_hosts(
    client: Client, service: Service, field: str, said: Any, shown: Any
) -> None:
    create(client, {"A_TOKEN": TOKEN, "MASTER": HOST})
    port = {"internal": "8888", "external": "31001", "usedBy": "JUPYTER_NOTEBOOK"}
    if field in port:
        service.answer = {"id": "p1", "status": "ACTIVE", "primePortMapping": [{**port, field: said}]}
        assert getattr(client.get_pod("p1").prime_port_mapping[0], field) == shown
    else:
        service.answer = {"id": "p1", "status": "ACTIVE", field: said}
        assert getattr(client.get_pod("p1"), "ip" if field == "ip" else "ssh_connection") == shown
    search = Search({"token": TOKEN, "password": PASSWORD})
    search.look_at_object("pod", client.get_pod("p1"))
    search.verdict(least=5)


@pytest.mark.parametrize(
    ("secret", "field", "said", "shown"),
    [
        ("active", "status", "ACTIVE", "ACTIVE"),
        ("active", "status", "is active", "is ***"),
        ("finished", "installationStatus", "FINISHED", "COMPLETE"),
        ("in-progress", "installation_status", "IN_PROGRESS", "IN_PROGRESS"),
        ("hyperstack", "providerType", "hyperstack", "hyperstack"),
        ("H100_80GB", "gpuName", "H100_80GB", "H100_80GB"),
        ("secure_cloud", "type", "secure_cloud", "secure_cloud"),
        ("active", "anything", "ACTIVE", "***"),
    ],
)
def test_a_known_word_in_a_field_that_says_one_of_a_few_stays(
    client: Client, service: Service, secret: str, field: str, said: str, shown: str
) -> None:
    create(client, {}, jupyterPassword=secret, gpuType="A")
    service.answer = {"id": "p2", field: said}
    assert shown in client.get_pod("p2").model_dump(mode="json").values()


@pytest.mark.parametrize("secret", ["jupyter", "notebook"])
def test_the_use_of_a_port_stays_although_a_secret_is_in_its_word(
    client: Client, service: Service, secret: str
) -> None:
    create(client, {}, jupyterPassword=secret)
    service.answer = {"id": "p2", "primePortMapping": [{"usedBy": "JUPYTER_NOTEBOOK", "description": secret}]}
    (port,) = client.get_pod("p2").prime_port_mapping
    assert (port.used_by, port.description) == ("JUPYTER_NOTEBOOK", "***")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ubuntu@10.0.0.1 -p 2200", "ubuntu@10.0.0.1 -p 2200"),
        ("ssh ubuntu@10.0.0.1 -p 2200, ubuntu@10.0.0.2", "ssh ubuntu@10.0.0.1 -p 2200, ubuntu@10.0.0.2"),
        ("ssh://ubuntu:ubuntu@10.0.0.1:2200", "ssh://ubuntu:***@10.0.0.1:2200"),
        ("ssh -l ubuntu 10.0.0.1", "ssh -l ubuntu 10.0.0.1"),
        (["ubuntu@10.0.0.1 -p 2200"], ["ubuntu@10.0.0.1 -p 2200"]),
        ({"host": "10.0.0.1", "user": "ubuntu"}, {"host": "10.0.0.1", "user": "ubuntu"}),
        ("sshpass -p ubuntu ssh ubuntu@10.0.0.1", "sshpass -p *** ssh ubuntu@10.0.0.1"),
        ("ubuntu@10.0.0.1 -i ubuntu", "ubuntu@10.0.0.1 -i ***"),
    ],
)
def test_the_user_of_an_ssh_address_stays_although_a_secret_is_the_same_word(
    client: Client, service: Service, said: Any, shown: Any
) -> None:
    create(client, {}, jupyterPassword="ubuntu")
    service.answer = {"id": "p2", "status": "ACTIVE", "sshConnection": said}
    assert client.get_pod("p2").ssh_connection == shown


def test_of_a_long_address_users_are_found_at_once(client: Client, service: Service) -> None:
    create(client)
    for piece in ("//a:", "a.a@", "a,", " -l "):
        service.answer = {"id": "p1", "status": "ACTIVE", "sshConnection": piece * 25_000 + TOKEN}
        began = time.process_time()
        assert TOKEN not in str(client.get_pod("p1").ssh_connection)
        assert time.process_time() - began < 0.8


def test_of_a_long_reason_the_beginning_is_searched_and_kept(client: Client, service: Service) -> None:
    create(client)
    failed = {"installationFailure": f"RUN pip install {TOKEN} failed: 4142 QUJD\n" * 3_000}
    service.answer = {"data": [{"id": f"p{n}", **failed} for n in range(3)]}
    began = time.process_time()
    for _ in range(5):
        pods = client.list_pods().items
    assert time.process_time() - began < 0.8
    for pod in pods:
        reason = pod.installation_failure or ""
        assert reason.startswith("RUN pip install *** failed: 4142 QUJD\nRUN pip install *** ")
        assert 500 < len(reason) <= 2_001
        assert reason.endswith("…")
        assert TOKEN[:8] not in reason


def test_a_secret_that_a_long_reason_is_cut_in_is_hidden(client: Client, service: Service) -> None:
    create(client)
    for before in range(MAX_SEARCHED - 45, MAX_SEARCHED + 5, 5):
        said = "x " * (before // 2) + TOKEN + " y" * 1_000
        service.answer = {"id": "p1", "installationFailure": said}
        reason = client.get_pod("p1").installation_failure or ""
        assert "hf" not in reason.removesuffix("…")
        assert len(reason) > 1_900


def test_what_a_create_says_openly_is_no_secret(client: Client, service: Service) -> None:
    create(client, {"GPU_TOKEN": "H100_80GB", "N": "100000"})
    service.answer = {"id": "p1", "gpuName": "H100_80GB", "installationFailure": "no H100_80GB"}
    pod = client.get_pod("p1")
    assert (pod.gpu_name, pod.installation_failure) == ("H100_80GB", "no H100_80GB")
    service.answer = {"logs": "step 100000"}
    assert client.pod_logs("p1") == "step 100000"


@pytest.mark.parametrize("field", ["name", "teamId", "clusterId", "user_id", "walletId"])
@pytest.mark.parametrize("secret", ["token", "password"])
def test_hides_it_in_the_name_and_ids_of_the_pod_that_was_created(
    client: Client, service: Service, field: str, secret: str
) -> None:
    said = {"id": "p1", "name": "train", field: SECRETS[secret], "ip": "10.0.0.1"}
    service.answer = said
    search = Search(SECRETS)
    search.look_at_object("created", create(client))
    search.look_at_object("told", client.get_pod("p1"))
    service.answer = {"data": [said, {**said, "id": "p2"}], "total_count": 2}
    own, other = client.list_all_pods()
    search.look_at_object("listed", own)
    search.verdict(least=20)
    assert own.id == "p1"
    # Another pod is found by its name.
    assert SECRETS[secret] in str(other.model_dump())


def test_the_name_that_was_asked_for_stays(client: Client, service: Service) -> None:
    create(client)
    service.answer = {"id": "p2", "name": PASSWORD}
    assert create(client, {"A_TOKEN": TOKEN}, name=PASSWORD).name == PASSWORD
    assert client.get_pod("p2").name == PASSWORD


def test_another_client_knows_nothing_of_it(client: Client, service: Service) -> None:
    create(client)
    with Client(Settings("https://pods.test", "pit_key"), http=httpx.MockTransport(service)) as other:
        service.answer = told(TOKEN)
        assert TOKEN in str(other.get_pod("p1").installation_failure)


def test_it_is_not_pickled(client: Client) -> None:
    create(client)
    with pytest.raises(TypeError):
        pickle.dumps(client.session._sent)
    assert TOKEN not in repr(client.session._sent)


@pytest.mark.parametrize("model", [PodDetails, PodStatusEntry])
def test_a_pod_keeps_no_field_that_sounds_secret(model: Any) -> None:
    sent = {
        "envVars": [{"key": "HF_TOKEN", "value": TOKEN}],
        "jupyterPassword": PASSWORD,
        "env": {"HF_TOKEN": TOKEN},
        "machine": {"environment": {"A": TOKEN}, "apiKey": TOKEN, "list": [{"auth_token": TOKEN}], "size": 1},
        "environmentType": "UBUNTU",
        "sshKeyId": "k1",
    }
    pod = model.model_validate(sent)
    search = Search(SECRETS)
    search.look_at_object("pod", pod)
    search.look("extra", repr(pod.model_extra))
    search.look("JSON", json.dumps(pod.model_dump(mode="json")))
    search.verdict(least=8)
    assert pod.model_extra["machine"] == {"list": [{}], "size": 1}
    assert without_secrets(sent)["sshKeyId"] == "k1"
