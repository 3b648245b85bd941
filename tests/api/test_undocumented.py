"""What the service sends beyond its documentation is shown, unless it may hold a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic.api import account, models
from primepods_magic.api.account import SshKey, Team
from primepods_magic.api.disks import Disk
from primepods_magic.api.fields import parts
from primepods_magic.api.fields.lenient_types import ApiModel
from primepods_magic.api.fields.undocumented import read_undocumented
from primepods_magic.api.http.urls import bare_address, bare_urls
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry
from primepods_magic.api.secrets.names import may_hold_secret, sounds_secret
from primepods_magic.frames import (
    disks_frame,
    history_frame,
    keys_frame,
    offers_frame,
    pods_frame,
    status_frame,
    teams_frame,
)

SECRET = "s3cr3t-0f9e8d7c"
SECRET_FIELDS = """
sshPass jupyterPass rootPass pass passcode sshPasscode auth authHeader authorization bearer jwt session
sessionId cookie pin otp signature sig connectionString databaseUrl startupCommand dockerArgs startScript
userData cloudInit apikey apiKey APIKey sshPrivatekey privateKey accesskey secretkey jupyterpassword
JUPYTER_PASSWORD JUPYTERPASSWORD rootpassword rootPwd vncpw wandbKey hfToken hftoken envVar env ENV
environment environmentVariables envvars env_vars envVarsJson variables launchConfig token1 tokens2 webtoken
""".split()
FRAMES: dict[Any, Any] = {
    PodDetails: pods_frame,
    PodStatusEntry: status_frame,
    Offer: offers_frame,
    HistoryRow: history_frame,
    Disk: disks_frame,
    SshKey: keys_frame,
    Team: teams_frame,
}


@pytest.mark.parametrize("model", FRAMES)
def test_no_frame_has_a_field_that_may_hold_a_secret(model: Any) -> None:
    said = dict.fromkeys(SECRET_FIELDS, SECRET) | {"rackRegion": "eu-1", "shelf": 7}
    said["notebookUrl"] = f"see HTTPS://ada:{SECRET}@h.example:8888/lab?token={SECRET}#{SECRET}"
    frame = FRAMES[model]([model.model_validate(said)])
    assert SECRET not in frame.to_csv()
    told = frame[["rack_region", "shelf", "notebook_url"]].iloc[0].tolist()
    assert told == ["eu-1", 7, "see HTTPS://h.example:8888/lab"]


def models_of(base: type[ApiModel]) -> Iterator[type[ApiModel]]:
    for model in base.__subclasses__():
        yield model
        yield from models_of(model)


def test_no_documented_field_of_a_pod_is_taken_for_a_secret() -> None:
    ours = [model for model in models_of(ApiModel) if model.__module__ in MODULES]
    names = {
        name for model in ours for field, info in model.model_fields.items() for name in (field, info.alias)
    }
    # Keys are listed as they are, and not filtered.
    names -= {"public_key", "publicKey", "is_user_key", "isUserKey", None}
    assert {"sshConnection", "environmentType", "priceHr", "description"} <= names
    assert [name for name in names if name and may_hold_secret(name)] == []


MODULES = {module.__name__ for module in (account, models, parts)}


@pytest.mark.parametrize(
    "name",
    ["sshKeyId", "ssh_key_ids", "author", "keyboard", "compatibility", "hash", "spin", "hopin", "path"],
)
def test_an_ordinary_name_is_not_a_secrets(name: str) -> None:
    assert not sounds_secret(name)
    assert read_undocumented(name, "x") == "x"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://h.example/lab", "https://h.example/lab"),
        ("postgres://ada:p@w@h.example:5432/db?password=x", "postgres://h.example:5432/db"),
        ("https://ada:p/w@h.example", "https://"),
        ("https://ada:p#w@h.example", "https://"),
        ("https://[2001:db8::7]:8888/lab", "https://[2001:db8::7]:8888/lab"),
        ("a // b, http://x@h and //y@h", "a // b, http://h and //h"),
        ("eu-west-1?", "eu-west-1?"),
    ],
)
def test_urls_lose_what_may_be_secret(text: str, bare: str) -> None:
    assert bare_urls(text) == bare


@pytest.mark.parametrize(
    ("external", "shown"),
    [
        ("22", "22"),
        ("203.0.113.9:22", "203.0.113.9:22"),
        ("root@203.0.113.9:22", "root@203.0.113.9:22"),
        ("ssh://root@203.0.113.9:22", "ssh://root@203.0.113.9:22"),
        ("ssh://root:pw@203.0.113.9:22", "ssh://203.0.113.9:22"),
        ("2001:db8::7", "2001:db8::7"),
        (" https://h.example:8888/lab?token=x", "https://h.example:8888/lab"),
        ("HTTPS://tkn@h.example:8888/lab#x", "HTTPS://h.example:8888/lab"),
        ("h.example:8888/?token=x", "h.example:8888/"),
        ("ada:pw@h.example:8888", "h.example:8888"),
        ("//ada:pw@h.example:8888?x", "//h.example:8888"),
    ],
)
def test_the_address_of_a_port_loses_what_may_be_secret(external: str, shown: str) -> None:
    assert bare_address(external) == shown
    said = {"status": "ACTIVE", "primePortMapping": [{"internal": "8888", "external": external}]}
    pod = PodDetails.model_validate(said)
    assert pod.prime_port_mapping[0].external == shown
    assert pod.jupyter_url == (shown if shown.lower().startswith("http") else None)


def test_urls_in_documented_fields_lose_what_may_be_secret() -> None:
    url = f"nfs://ada:{SECRET}@h.example/data?key={SECRET}"
    said = {
        "status": "ACTIVE",
        "ip": [url, "203.0.113.9"],
        "primePortMapping": [{"internal": "8888", "description": f"see {url}"}],
        "attachedResources": [{"mountPath": url, "resourcePath": url}],
    }
    pod = PodDetails.model_validate(said)
    offer = Offer.model_validate({"disk": {"additionalInfo": url}})
    assert SECRET not in repr(pod) + repr(offer) + pods_frame([pod]).to_csv() + offers_frame([offer]).to_csv()
    assert pod.ip == ["nfs://h.example/data", "203.0.113.9"]
    assert pod.attached_resources[0].resource_path == "nfs://h.example/data"
