"""Which service the commands talk to, when that changes, and whose account it is."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import pickle
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import ConnectionClosed, NotConfigured
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, current, disconnect, in_use
from primepods_magic.pods.launching.journal.journal import launch_path
from primepods_magic.pods.watching.snapshot import Snapshot
from primepods_magic.sandbox import start
from tests.pods.conftest import Changing
from tests.support.sandbox_control import KEY, READ_KEY, SandboxControl, control, controlled
from tests.support.silent import silent_about_itself
from tests.support.waiting import eventually

SECRET = "pit_0123456789abcdef0123456789abcdef"
ORDER = {
    "pod": {"name": "train", "cloudId": "n3-H100x1", "gpuType": "H100_80GB", "socket": "PCIe", "gpuCount": 1},
    "provider": {"type": "hyperstack"},
}


@pytest.fixture(autouse=True)
def nobody_connected() -> Iterator[None]:
    disconnect()
    yield
    disconnect()


@pytest.fixture
def write_config(home: Path) -> Callable[..., None]:
    """Writes a file as the official command line does, in place."""

    def write(name: str = "config.json", **content: object) -> None:
        path = home / ".prime" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2))

    return write


@pytest.fixture
def live_url(sandbox: SandboxControl) -> Iterator[str]:
    """A service that does not say that it is a sandbox."""
    with silent_about_itself(sandbox.url) as url:
        yield url


def is_closed(connection: Connection) -> bool:
    try:
        connection.client.whoami()
    except ConnectionClosed:
        return True
    return False


def test_a_variable_that_changes_is_noticed_by_the_next_command(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    first = current()
    assert current() is first
    assert in_use() is first
    monkeypatch.setenv("PRIME_API_KEY", READ_KEY)
    assert in_use() is None
    second = current()
    assert second.settings.api_key == READ_KEY
    assert is_closed(first)
    assert current() is second


@pytest.mark.parametrize("change", [{"api_key": READ_KEY}, {"team_id": "team_id"}], ids=["login", "switch"])
def test_a_login_or_a_switch_in_a_terminal_is_noticed_by_the_next_command(
    sandbox: SandboxControl, write_config: Callable[..., None], change: dict[str, str]
) -> None:
    config = {"api_key": KEY, "base_url": sandbox.url, "team_id": None}
    write_config(**config)
    first = current()
    write_config(**{**config, **change})
    second = current()
    assert second is not first
    assert (second.settings.api_key, second.settings.team_id) == (
        change.get("api_key", KEY),
        change.get("team_id"),
    )


def test_a_context_that_changes_is_noticed(
    sandbox: SandboxControl, write_config: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_CONTEXT", "work")
    write_config("environments/work.json", api_key=KEY, base_url=sandbox.url)
    first = current()
    write_config("environments/work.json", api_key=READ_KEY, base_url=sandbox.url)
    assert current().settings.api_key == READ_KEY
    assert is_closed(first)


def test_files_that_are_written_again_and_say_the_same_change_nothing(
    sandbox: SandboxControl, write_config: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(api_key=KEY, base_url=sandbox.url)
    first = current()
    write_config(api_key=KEY, base_url=sandbox.url, user_name="Ada")
    assert current() is first
    assert not is_closed(first)
    assert first.settings.sources["api_key"] == "~/.prime/config.json"
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    assert current() is first
    assert first.settings.sources["api_key"] == "PRIME_API_KEY"


def test_a_sandbox_for_want_of_a_key_stays_while_there_is_none(
    sandbox: SandboxControl, write_config: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    tried = current(sandbox_without_key=True)
    write_config(api_key="")
    assert current() is tried


def test_watches_of_the_old_account_end_with_a_last_word(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.api.post("/api/v1/pods", json=ORDER).raise_for_status()
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    first = current()
    seen: list[Snapshot] = []
    first.poller.watch(first.client.list_all_pods(), seen.append)
    eventually(lambda: seen, "the watch has begun")
    monkeypatch.setenv("PRIME_API_KEY", READ_KEY)
    current()
    assert seen[-1].is_last
    assert "the connection was closed" in str(seen[-1].trouble)


def test_a_file_that_breaks_meanwhile_is_told_and_mending_it_goes_on(
    sandbox: SandboxControl, write_config: Callable[..., None], home: Path
) -> None:
    write_config(api_key=KEY, base_url=sandbox.url)
    first = current()
    (home / ".prime" / "config.json").write_text("{")
    for _ in range(2):
        with pytest.raises(NotConfigured, match="line 1, column 2"):
            current(sandbox_without_key=True)
    write_config(api_key=KEY, base_url=sandbox.url)
    assert current() is first
    assert not is_closed(first)


def test_a_key_that_goes_away_stops_a_pipeline_and_gives_a_person_the_sandbox(
    sandbox: SandboxControl, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("PRIME_API_BASE_URL", live_url)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    assert current().label == "live"
    monkeypatch.delenv("PRIME_API_KEY")
    with pytest.raises(NotConfigured, match="There is no API key"):
        current()
    tried = current(sandbox_without_key=True)
    assert tried.label == "sandbox"
    assert current(sandbox_without_key=True) is tried
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    assert current(sandbox_without_key=True).label == "live"


@pytest.mark.parametrize("choice", ["sandbox", "live", "settings", "context"])
def test_a_choice_stays_until_the_next_one(
    sandbox: SandboxControl,
    live_url: str,
    write_config: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    choice: str,
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    write_config(api_key=KEY, base_url=live_url)
    write_config("environments/work.json", api_key=READ_KEY, base_url=live_url)
    choices: dict[str, Any] = {
        "sandbox": {"sandbox": True},
        "live": {"live": True},
        "settings": {"settings": Settings(sandbox.url, READ_KEY)},
        "context": {"context": "work"},
    }
    chosen = connect(**choices[choice])
    monkeypatch.setenv("PRIME_API_KEY", "another")
    write_config(api_key="another", base_url=live_url)
    assert current() is chosen
    assert in_use() is chosen
    assert chosen.label == ("live" if choice in ("live", "context") else "sandbox")
    followed = connect()
    assert followed.settings.api_key == "another"
    monkeypatch.setenv("PRIME_API_KEY", "a third")
    assert current().settings.api_key == "a third"


def test_choosing_again_what_is_in_use_keeps_the_pods_of_earlier_cells(
    sandbox: SandboxControl, live_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("PRIME_API_BASE_URL", live_url)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    for choice in ({"sandbox": True}, {"live": True}, {}, {"settings": Settings(live_url, KEY, "t")}):
        assert connect(**choice) is connect(**choice)  # type: ignore[arg-type]


def test_a_refused_choice_leaves_what_was_in_use(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    in_hand = connect()
    refused: tuple[dict[str, Any], ...] = (
        {"live": True},
        {"sandbox": True, "live": True},
        {"sandbox": True, "context": "production"},
        {"settings": Settings(sandbox.url, KEY), "context": "production"},
        {"context": "nowhere"},
    )
    for choice in refused:
        with pytest.raises(NotConfigured):
            connect(**choice)
        assert current() is in_hand
        assert not is_closed(in_hand)


def test_a_connection_that_was_closed_is_not_chosen_again(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    first = connect(sandbox=True)
    first.close()
    # What was chosen is gone, and nothing else is used in its place.
    assert is_closed(current())
    assert not is_closed(connect(sandbox=True))


def test_two_users_keys_at_one_service_are_two_accounts(sandbox: SandboxControl) -> None:
    def another_user(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path.endswith("/whoami") and request.headers["authorization"].endswith(READ_KEY):
            return httpx.Response(200, json={"data": {"id": "user-b"}})
        return response

    def silent(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(403) if request.url.path.endswith("/whoami") else response

    for change in (another_user, silent):
        with contextlib.ExitStack() as stack:
            accounts = []
            for key in (KEY, READ_KEY, KEY):
                client = stack.enter_context(Client(Settings(sandbox.url, key), http=Changing(change)))
                connection = connect(settings=client.settings)
                accounts.append(dataclasses.replace(connection, client=client).account)
        assert accounts[0] == accounts[2] != accounts[1]
        assert launch_path(accounts[0], "train", ".json") != launch_path(accounts[1], "train", ".json")


def test_two_keys_of_one_user_are_one_account(sandbox: SandboxControl) -> None:
    accounts = {connect(settings=Settings(sandbox.url, key)).account for key in (KEY, READ_KEY)}
    assert len(accounts) == 1


def test_two_sandboxes_are_two_accounts(sandbox: SandboxControl) -> None:
    here = connect(settings=Settings(sandbox.url, KEY)).account
    with controlled(clock="stepped") as other:
        assert connect(settings=Settings(other.url, KEY)).account != here


def test_a_sandbox_that_was_started_again_is_itself_and_another_in_its_place_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(tmp_path / "a.db") as first:
        account = connect(settings=Settings(first.url, KEY)).account
    with start(tmp_path / "a.db") as again:
        assert connect(settings=Settings(again.url, KEY)).account == account
        port = httpx.URL(again.url).port
        connection = connect(settings=Settings(again.url, KEY))
    with start(tmp_path / "b.db", port=port or 0) as other:
        assert other.url == connection.settings.base_url
        replaced = connect(settings=Settings(other.url, KEY))
        assert replaced is not connection
        assert replaced.account != account


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", f"ftp://user:{SECRET}@proxy.test"),
        ("HTTPS_PROXY", f"http://user:{SECRET}@proxy.test:notaport"),
        ("SSL_CERT_FILE", f"/nowhere/{SECRET}"),
    ],
)
def test_a_proxy_or_certificates_that_cannot_be_used_are_one_line_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(NotConfigured, match=f"variable {variable} cannot be used") as caught:
        connect(settings=Settings("https://api.example.test", SECRET))
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_sandbox_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    monkeypatch.chdir(tmp_path)
    assert connect(sandbox=True).client.list_all_pods() == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_a_connection_tells_the_key(live_url: str) -> None:
    connection = connect(settings=Settings(live_url, SECRET))
    shown = [repr(connection), str(connection), repr(vars(connection)), repr(vars(connection.client))]
    shown += [repr(vars(connection.client.session)), repr(connection.settings)]
    assert "key …cdef from given" in shown[0]
    for secretive in (pickle.dumps, copy.deepcopy, dataclasses.asdict):
        with contextlib.suppress(TypeError):
            shown.append(repr(secretive(connection)))
    shown.append(repr(copy.copy(connection)))
    assert not [text for text in shown if SECRET[4:] in text]


def test_a_sandbox_says_the_same_line_everywhere(sandbox: SandboxControl) -> None:
    with control(sandbox.url):
        connection = connect(settings=Settings(sandbox.url, KEY))
    assert repr(connection) == "connected to the sandbox: its pods are simulated, nothing is billed"
