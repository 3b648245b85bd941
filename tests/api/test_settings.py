"""Where the key, the URL and the team come from, and where a key never goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.settings import LIVE_URL, Settings, load_settings


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
    context = {"api_key": "context-key", "base_url": "https://context.test/api/v1/"}
    (folder / "environments" / "work.json").write_text(json.dumps(context))
    (folder / "environments" / "keyless.json").write_text('{"base_url": "https://keyless.test"}')
    return tmp_path


def test_nothing_anywhere_is_the_live_service_without_a_key(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert (settings.base_url, settings.api_key, settings.team_id) == (LIVE_URL, "", None)


def test_the_environment_beats_the_context_beats_the_file(configured: Path) -> None:
    assert load_settings({}, configured).api_key == "file-key"
    context = load_settings({"PRIME_CONTEXT": "work"}, configured)
    assert (context.api_key, context.base_url, context.team_id) == (
        "context-key",
        "https://context.test",
        "file-team",
    )
    environment = {"PRIME_CONTEXT": "work", "PRIME_API_KEY": "env-key", "PRIME_TEAM_ID": " "}
    settings = load_settings(environment, configured)
    assert (settings.api_key, settings.base_url, settings.team_id) == (
        "env-key",
        "https://context.test",
        "file-team",
    )
    assert settings.sources["api_key"] == "PRIME_API_KEY"


def test_the_first_url_variable_beats_the_second_and_loses_its_api_path(tmp_path: Path) -> None:
    environment = {"PRIME_API_BASE_URL": "https://a.test/api/v1/", "PRIME_BASE_URL": "https://b.test"}
    assert load_settings(environment, tmp_path).base_url == "https://a.test"


def test_a_context_without_a_key_gets_no_other_accounts_key(configured: Path) -> None:
    settings = load_settings({"PRIME_CONTEXT": "keyless"}, configured)
    assert (settings.base_url, settings.api_key) == ("https://keyless.test", "")


def test_the_production_context_is_the_live_service_with_the_files_key(configured: Path) -> None:
    settings = load_settings({"PRIME_CONTEXT": "production"}, configured)
    assert (settings.base_url, settings.api_key, settings.team_id) == (LIVE_URL, "file-key", None)


@pytest.mark.parametrize("name", ["nowhere", "../config"])
def test_an_unknown_context_is_an_error(configured: Path, name: str) -> None:
    with pytest.raises(NotConfigured, match="PRIME_CONTEXT"):
        load_settings({"PRIME_CONTEXT": name}, configured)


def test_a_broken_file_is_one_clear_line(configured: Path) -> None:
    (configured / ".prime" / "config.json").write_text('{"api_key": "sk-')
    with pytest.raises(NotConfigured, match=r"config\.json cannot be read") as caught:
        load_settings({}, configured)
    assert "sk-" not in str(caught.value)


def test_the_files_are_never_written(configured: Path) -> None:
    before = {path: path.read_bytes() for path in configured.rglob("*.json")}
    load_settings({"PRIME_CONTEXT": "work"}, configured)
    assert {path: path.read_bytes() for path in configured.rglob("*.json")} == before


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
    ],
)
def test_a_key_is_never_given_to_a_url_in_the_clear(url: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        Settings(url, "key")
    assert "pw" not in str(caught.value)


def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent() -> None:
    with pytest.raises(NotConfigured, match="no key has") as caught:
        Settings(api_key="pit_é\n")
    assert "pit" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:1"])
def test_this_computer_may_be_spoken_to_in_the_clear(url: str) -> None:
    assert Settings(url, "key").is_loopback


def test_the_key_is_not_in_the_repr() -> None:
    assert "pit_secret" not in repr(Settings(api_key="pit_secret"))
