"""A systemd unit starts the guards with this computer, and holds no key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.process import MODULE, OWN_SETTINGS, find_process
from primepods_magic.pods.guards.records import find_account_folder
from primepods_magic.pods.guards.systemd import UNIT, write_unit
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

KEY = "sandbox"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that has systemd, as far as a path can tell."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def log_in(home: Path, url: str) -> None:
    file = home / ".prime" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"api_key": KEY, "base_url": url}))


def test_the_unit_runs_the_guards_of_the_account(sandbox: SandboxControl, home: Path, systemd: None) -> None:
    log_in(home, sandbox.url)
    connection = connect()
    unit = write_unit(connection)
    assert unit.path == home / ".config" / "systemd" / "user" / UNIT
    words = [line for line in unit.path.read_text().splitlines() if line.startswith("ExecStart=")]
    assert words == [f"ExecStart={sys.executable} -m {MODULE} {OWN_SETTINGS}"]
    folder = find_account_folder(connection)
    # As systemd starts it.
    with subprocess.Popen([sys.executable, "-m", MODULE, OWN_SETTINGS]) as service:
        process = eventually(lambda: find_process(folder), "it can be reached")
        assert process.pid == service.pid
        process.ask("stop")
    assert service.returncode == 0
    disconnect()


def test_a_unit_that_would_find_no_key_is_not_written(
    sandbox: SandboxControl, systemd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    with pytest.raises(InvalidRequest, match=r"hold none for .*Nothing was written"):
        write_unit(connect())
    disconnect()


def test_a_computer_without_systemd_gets_no_unit(
    sandbox: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(home, sandbox.url)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InvalidRequest, match="no systemd"):
        write_unit(connect())
    disconnect()
