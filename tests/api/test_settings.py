"""Where the key, the URL and the team come from, and where a key never goes."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
import pickle
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.settings import LIVE_URL, Settings, load_settings, settings_state

SECRET = "pit_0123456789abcdef0123456789abcdef"


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A home in which the official command line has been used."""
    folder = tmp_path / ".prime"
    (folder / "environments").mkdir(parents=True)
    config: dict[str, Any] = {
        "api_key": "file-key",
        "team_id": "file-team",
        "base_url": "https://file.test",
        "user_id": None,
        "odd": 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    context = {"api_key": "context-key", "base_url": "https://context.test/api/v1/", "team_id": "its-team"}
    (folder / "environments" / "work.json").write_text(json.dumps(context))
    (folder / "environments" / "keyless.json").write_text('{"base_url": "https://keyless.test"}')
    return tmp_path


def write_config(home: Path, content: bytes | dict[str, Any], name: str = "config.json") -> None:
    path = home / ".prime" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def told(settings: Settings) -> tuple[str, str, str | None]:
    return settings.api_key, settings.base_url, settings.team_id


def test_nothing_anywhere_is_the_live_service_without_a_key(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert (settings.base_url, settings.api_key, settings.team_id) == (LIVE_URL, "", None)
    assert settings.notes == ()


def test_the_environment_beats_the_context_beats_the_file(configured: Path) -> None:
    assert told(load_settings({}, configured)) == ("file-key", "https://file.test", "file-team")
    context = load_settings({"PRIME_CONTEXT": "work"}, configured)
    assert told(context) == ("context-key", "https://context.test", "its-team")
    assert (context.context, context.sources["context"]) == ("work", "PRIME_CONTEXT")
    environment = {"PRIME_CONTEXT": "work", "PRIME_API_KEY": "env-key", "PRIME_TEAM_ID": " "}
    settings = load_settings(environment, configured)
    assert told(settings) == ("env-key", "https://context.test", "its-team")
    assert (settings.sources["api_key"], settings.sources["base_url"]) == ("PRIME_API_KEY", "context work")
    settings = load_settings({**environment, "PRIME_BASE_URL": "https://env.test"}, configured)
    assert told(settings) == ("env-key", "https://env.test", "its-team")
    settings = load_settings({**environment, "PRIME_TEAM_ID": "env-team"}, configured)
    assert told(settings) == ("env-key", "https://context.test", "env-team")


def test_who_names_a_url_in_the_environment_sends_the_files_key_there(configured: Path) -> None:
    settings = load_settings({"PRIME_API_BASE_URL": "https://env.test"}, configured)
    assert told(settings) == ("file-key", "https://env.test", "file-team")


def test_the_first_url_variable_beats_the_second_and_loses_its_api_path(tmp_path: Path) -> None:
    environment = {"PRIME_API_BASE_URL": "https://a.test/api/v1/", "PRIME_BASE_URL": "https://b.test"}
    settings = load_settings(environment, tmp_path)
    assert settings.base_url == "https://a.test"
    assert settings.sources["base_url"] == "PRIME_API_BASE_URL"


@pytest.mark.parametrize(
    "content",
    [{"api_key": "context-key"}, {"api_key": "context-key", "team_id": None, "base_url": None}],
    ids=["left out", "null"],
)
def test_a_context_is_not_billed_to_the_files_team_and_not_sent_to_the_files_url(
    configured: Path, content: dict[str, Any]
) -> None:
    write_config(configured, content, "environments/bare.json")
    settings = load_settings({"PRIME_CONTEXT": "bare"}, configured)
    assert told(settings) == ("context-key", LIVE_URL, None)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"base_url": "https://elsewhere.test"}, ""),
        ({"base_url": "https://file.test/api/v1"}, "file-key"),
        ({"base_url": "https://file.test", "api_key": ""}, ""),
        ({}, ""),
    ],
    ids=["another service", "the same service", "says that it has none", "the default service"],
)
def test_a_context_without_a_key_gets_the_files_key_for_the_same_service_only(
    configured: Path, content: dict[str, Any], key: str
) -> None:
    write_config(configured, content, "environments/other.json")
    assert load_settings({"PRIME_CONTEXT": "other"}, configured).api_key == key


def test_a_context_can_be_asked_for_in_place_of_the_variable(configured: Path) -> None:
    settings = load_settings({"PRIME_CONTEXT": "keyless"}, configured, context="work")
    assert settings.api_key == "context-key"
    assert settings.notes == ()
    beaten = load_settings({"PRIME_API_KEY": "env-key"}, configured, context="work")
    assert beaten.api_key == "env-key"
    assert "instead of the key of the context 'work'" in beaten.notes[0]


def test_the_label_that_the_official_command_line_leaves_in_its_file_chooses_nothing(
    configured: Path,
) -> None:
    config = {"api_key": "file-key", "current_environment": "work"}
    write_config(configured, config)
    assert told(load_settings({}, configured)) == ("file-key", LIVE_URL, None)


@pytest.mark.parametrize("name", ["production", "Production"])
def test_the_production_context_is_the_live_service_with_the_files_key(configured: Path, name: str) -> None:
    settings = load_settings({"PRIME_CONTEXT": name}, configured)
    assert (settings.base_url, settings.api_key, settings.team_id) == (LIVE_URL, "file-key", None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("wrok", "did you mean 'work'"),
        ("zz", "there are: production, keyless, work"),
        ("../config", "there are"),
        ("a\0b", "there are"),
    ],
)
def test_an_unknown_context_is_an_error_that_names_the_nearest(
    configured: Path, name: str, says: str
) -> None:
    environment = {
        "PRIME_CONTEXT": name,
        "PRIME_API_KEY": "env-key",
        "PRIME_API_BASE_URL": "https://env.test",
    }
    with pytest.raises(NotConfigured, match="PRIME_CONTEXT") as caught:
        load_settings(environment, configured)
    assert says in str(caught.value)
    with pytest.raises(NotConfigured, match="no context") as caught:
        load_settings({}, configured, context=name)
    assert "PRIME_CONTEXT" not in str(caught.value)


def test_an_empty_name_is_no_context_either(configured: Path) -> None:
    assert load_settings({"PRIME_CONTEXT": " "}, configured).api_key == "file-key"
    with pytest.raises(NotConfigured, match="no context"):
        load_settings({}, configured, context="")


BROKEN = {
    "cut off": (f'{{\n  "api_key": "{SECRET}'.encode(), "line 2, column 14"),
    "a comma too many": (f'{{"api_key": "{SECRET}",}}'.encode(), "line 1, column 5"),
    "empty": (b"", "line 1, column 1"),
    "a list": (f'["{SECRET}"]'.encode(), "not a JSON object"),
    "a text": (f'"{SECRET}"'.encode(), "not a JSON object"),
    "latin-1": (b'{\n"api_key": "' + SECRET.encode() + b'\xe9"}', "line 2, column 49: not UTF-8"),
    "nested too deeply": (b"[" * 200_000, "RecursionError"),
}


@pytest.mark.parametrize(("content", "place"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_clear_line_and_stops_nobody_who_has_a_key(
    tmp_path: Path, content: bytes, place: str
) -> None:
    write_config(tmp_path, content)
    with pytest.raises(NotConfigured, match=r"config\.json cannot be read") as caught:
        load_settings({}, tmp_path)
    assert place in str(caught.value)
    assert "Fix or remove it, or set PRIME_API_KEY" in str(caught.value)
    assert not holds_secret(caught.value)
    settings = load_settings({"PRIME_API_KEY": "env-key"}, tmp_path)
    assert told(settings) == ("env-key", LIVE_URL, None)
    (note,) = settings.notes
    assert place in note
    assert SECRET not in note


def holds_secret(error: BaseException | None) -> bool:
    """Whether an error, or any that it came of, holds the key, in its words or beside them."""
    while error is not None:
        if SECRET in f"{error} {vars(error)} {error.args} {getattr(error, 'doc', '')}":
            return True
        error = error.__cause__ or error.__context__
    return False


def test_a_broken_context_stops_whoever_has_not_said_where_requests_go(configured: Path) -> None:
    write_config(configured, b'{"base_url": ', "environments/work.json")
    environment = {"PRIME_CONTEXT": "work", "PRIME_API_KEY": "env-key"}
    with pytest.raises(NotConfigured, match=r"work\.json cannot be read \(line 1, column 14"):
        load_settings(environment, configured)
    settings = load_settings({**environment, "PRIME_API_BASE_URL": "https://env.test"}, configured)
    assert told(settings) == ("env-key", "https://env.test", None)
    assert "work.json" in settings.notes[0]


def test_a_broken_file_beside_a_whole_context_is_noted(configured: Path) -> None:
    write_config(configured, b"{")
    settings = load_settings({"PRIME_CONTEXT": "work"}, configured)
    assert settings.api_key == "context-key"
    assert "config.json cannot be read" in settings.notes[0]


@pytest.mark.parametrize("value", [12, True, ["key"], {"a": 1}, 1.5])
def test_a_value_of_a_wrong_type_is_passed_over_and_noted(tmp_path: Path, value: object) -> None:
    write_config(tmp_path, {"api_key": value, "team_id": None, "base_url": value, "new": {"a": [1]}})
    settings = load_settings({}, tmp_path)
    assert told(settings) == ("", LIVE_URL, None)
    assert [note.partition(" ")[0] for note in settings.notes] == ["'api_key'", "'base_url'"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path, encoding: str) -> None:
    write_config(tmp_path, '{"api_key": "file-key"}'.encode(encoding))
    assert load_settings({}, tmp_path).api_key == "file-key"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A folder that this process may not look into; root may look into every one, so it is somebody else."""
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        path.chmod(0o700)


def test_files_that_must_not_be_read_are_one_clear_line(configured: Path) -> None:
    with locked(configured / ".prime"):
        with pytest.raises(NotConfigured, match=r"config\.json cannot be read \(Permission denied\)"):
            load_settings({}, configured)
        with pytest.raises(NotConfigured, match=r"work\.json cannot be read \(Permission denied\)"):
            load_settings({"PRIME_CONTEXT": "work"}, configured)
        assert load_settings({"PRIME_API_KEY": "env-key"}, configured).api_key == "env-key"
        assert settings_state({}, configured)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Any) -> None:
    (tmp_path / ".prime").mkdir()
    make(tmp_path / ".prime" / "config.json")
    with pytest.raises(NotConfigured, match=r"config\.json cannot be read"):
        load_settings({}, tmp_path)


def test_a_computer_without_a_home_is_one_without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    with pytest.raises(RuntimeError):
        Path.home()
    assert load_settings({"PRIME_API_KEY": "env-key"}).api_key == "env-key"
    with pytest.raises(NotConfigured, match="there are: production"):
        load_settings({"PRIME_CONTEXT": "work"})
    assert settings_state({})


def test_the_files_are_never_written_and_nothing_is_made(configured: Path, tmp_path: Path) -> None:
    def everything() -> dict[str, Any]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.is_file() and path.read_bytes())
            for path in [configured, *configured.rglob("*")]
        }

    before = everything()
    load_settings({"PRIME_CONTEXT": "work"}, configured)
    settings_state({"PRIME_CONTEXT": "work"}, configured)
    with pytest.raises(NotConfigured):
        load_settings({"PRIME_CONTEXT": "nowhere"}, configured)
    assert everything() == before
    empty = tmp_path / "empty"
    empty.mkdir()
    load_settings({}, empty)
    assert list(empty.iterdir()) == []


def test_the_state_changes_when_the_settings_may(configured: Path) -> None:
    environment = {"PRIME_CONTEXT": "work"}
    seen = [settings_state(environment, configured)]
    assert settings_state(dict(environment, PATH="/bin"), configured) == seen[0]

    def changed() -> bool:
        seen.append(settings_state(environment, configured))
        return seen[-1] not in seen[:-1]

    environment["PRIME_API_KEY"] = "env-key"
    assert changed()
    write_config(configured, {"api_key": "new-file-key"})
    assert changed()
    write_config(configured, {"api_key": "new-context-key"}, "environments/work.json")
    assert changed()
    (configured / ".prime" / "environments" / "work.json").unlink()
    assert changed()
    environment["PRIME_CONTEXT"] = "keyless"
    assert changed()
    (configured / ".prime" / "config.json").chmod(0)
    assert changed()
    assert "env-key" not in seen[1]


def test_the_state_is_told_without_reading_a_file(configured: Path) -> None:
    opened: list[object] = []
    watching = [True]

    def hook(event: str, arguments: Any) -> None:
        if watching and event == "open":
            opened.append(arguments[0])

    # It cannot be taken away again, only be put to sleep.
    sys.addaudithook(hook)
    settings_state({"PRIME_CONTEXT": "work"}, configured)
    assert opened == []
    load_settings({"PRIME_CONTEXT": "work"}, configured)
    watching.clear()
    assert [Path(str(path)).name for path in opened] == ["config.json", "work.json"]


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.test",
        "http://10.0.0.7:8000",
        "ftp://x",
        "nonsense",
        "",
        "https://[::1",
        "https://u:pw@x",
        "https://x?token=pw",
        "https://x#pw",
    ],
)
def test_a_key_is_never_given_to_a_url_in_the_clear(url: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        Settings(url, "key")
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("host", [".example", "a..example", ".", "x" * 64 + ".example", ".example:443"])
def test_a_host_that_tls_cannot_have_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(NotConfigured, match=r"^PRIME_API_BASE_URL: The host .* is not a valid name"):
        load_settings({"PRIME_API_KEY": "key", "PRIME_API_BASE_URL": f"https://{host}"}, tmp_path)
    assert Settings("https://example.").base_url == "https://example."


def test_what_is_refused_says_where_it_is_from(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"^PRIME_BASE_URL: .* unencrypted"):
        load_settings({"PRIME_BASE_URL": "http://api.example.test", "PRIME_API_KEY": "key"}, tmp_path)
    with pytest.raises(NotConfigured, match=r"^PRIME_API_KEY: .* invalid characters"):
        load_settings({"PRIME_API_KEY": "pit_é"}, tmp_path)


def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent() -> None:
    with pytest.raises(NotConfigured, match="invalid characters") as caught:
        Settings(api_key="pit_é\n")
    assert "pit" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:1"])
def test_this_computer_may_be_spoken_to_in_the_clear(url: str) -> None:
    assert Settings(url, "key").is_loopback


def test_nothing_tells_the_key_but_asking_for_it() -> None:
    settings = Settings(api_key=SECRET)
    assert settings.api_key == SECRET
    fields = dataclasses.asdict(settings)
    shown = [repr(settings), str(settings), f"{settings}", repr(vars(settings)), repr(fields)]
    shown += [repr(dataclasses.astuple(settings)), json.dumps(fields, default=str)]
    assert not [text for text in shown if SECRET[4:] in text]
    for secretive in (settings, fields, vars(settings)):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secretive)
    assert copy.copy(settings) == copy.deepcopy(settings) == settings


def test_settings_with_another_key_or_team_are_others() -> None:
    assert Settings(api_key="a") == Settings(api_key="a", sources={"api_key": "x"}, notes=["y"])
    assert len({Settings(api_key="a"), Settings(api_key="b"), Settings(api_key="a", team_id="t")}) == 3


@pytest.mark.parametrize(
    ("value", "shares"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("false", False),
        (None, False),
        ([], False),
    ],
    ids=str,
)
def test_sharing_with_the_team_is_read_as_the_official_command_line_reads_it(
    tmp_path: Path, value: object, shares: bool
) -> None:
    write_config(tmp_path, {"api_key": "k", "share_resources_with_team": value})
    assert load_settings({}, tmp_path).shares_with_team is shares
    assert load_settings({}, Path("/nowhere")).shares_with_team is False
