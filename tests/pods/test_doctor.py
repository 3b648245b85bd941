"""What is wrong with a set-up is told, in bounded time, without a secret, and nothing is changed."""

from __future__ import annotations

import json
import os
import pwd
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.settings import LIVE_URL, Settings
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.doctor import Finding, diagnose
from tests.support.sandbox_control import KEY, READ_KEY, SandboxControl

SECRET = "pit_0123456789abcdef0123456789abcdef"
ME = {"id": "u1", "name": "Ada", "scope": {"Instances": {"read": True, "write": True}, "Availability": None}}


@pytest.fixture(autouse=True)
def nobody_connected() -> Iterator[None]:
    disconnect()
    yield
    disconnect()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def configure(url: str, key: str) -> None:
        monkeypatch.setenv("PRIME_API_BASE_URL", url)
        monkeypatch.setenv("PRIME_API_KEY", key)

    return configure


@contextmanager
def service(answers: dict[str, Any], *, date: datetime | None = None) -> Iterator[str]:
    """A service that answers each path with a status and a body, and says that it is this time."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path.partition("?")[0], (404, {"detail": "Not Found"}))
            content = json.dumps(body).encode()
            self.send_response_only(status)
            self.send_header("Date", format_datetime(date or datetime.now(timezone.utc), usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


WHOAMI, PODS, KEYS = "/api/v1/user/whoami", "/api/v1/pods/", "/api/v1/ssh_keys/"
NO_KEYS = {"data": [], "total_count": 0}


def by_check(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def only(findings: list[Finding], check: str) -> Finding:
    (finding,) = by_check(findings, check)
    return finding


def test_without_a_key_and_a_network_nothing_is_asked_and_nothing_is_made(home: Path) -> None:
    findings = diagnose()
    assert [finding.result for finding in findings if finding.check in ("key", "service")] == ["warning"] * 2
    assert not [finding for finding in findings if finding.result == "problem"]
    assert list(home.rglob("*")) == []


def test_a_good_set_up_is_good(sandbox: SandboxControl, configure: Callable[[str, str], None]) -> None:
    configure(sandbox.url, KEY)
    findings = diagnose()
    assert [finding for finding in findings if finding.result != "ok"] == []
    checks = "packages key url team context proxy certificates service permission launch_notes".split()
    assert {check.replace("_", " ") for check in checks} <= {finding.check for finding in findings}
    assert only(findings, "key accepted").detail == "it belongs to Ada Lovelace"
    assert only(findings, "ssh keys").detail == "1 on the account"
    assert only(findings, "service").detail.endswith(" ms")


def test_the_connection_in_use_is_asked_whatever_the_settings_say(
    sandbox: SandboxControl, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("https://api.example.test", SECRET)
    findings = diagnose(connect(settings=Settings(sandbox.url, KEY)))
    assert sandbox.url in only(findings, "service").detail
    assert "sandbox" in only(findings, "connection").detail
    assert only(findings, "url").detail == "https://api.example.test from PRIME_API_BASE_URL"


def test_a_connection_that_was_given_its_settings_needs_no_others(home: Path) -> None:
    with service({WHOAMI: (200, {"data": ME}), KEYS: (200, NO_KEYS)}) as url:
        findings = diagnose(connect(settings=Settings(url, SECRET, "team")))
    assert only(findings, "key").detail == "…cdef from here"
    assert only(findings, "team").detail == "team from here"
    assert only(findings, "key").result == "ok"


def test_a_key_that_may_only_read_is_told_what_it_lacks(
    sandbox: SandboxControl, configure: Callable[[str, str], None]
) -> None:
    configure(sandbox.url, READ_KEY)
    permissions = by_check(diagnose(), "permission")
    assert [finding.result for finding in permissions] == ["ok", "warning", "ok"]
    assert "Instances -> Read and Write is missing" in permissions[1].detail


def test_a_key_that_is_not_accepted_is_a_problem(
    sandbox: SandboxControl, configure: Callable[[str, str], None]
) -> None:
    configure(sandbox.url, SECRET)
    findings = diagnose()
    assert only(findings, "service").result == "ok"
    assert only(findings, "key accepted").result == "problem"
    assert "prime login" in only(findings, "key accepted").what_to_do


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_that_may_not_say_whose_it_is_may_still_be_good(
    configure: Callable[[str, str], None], status: int
) -> None:
    answers = {WHOAMI: (status, {"detail": "no"}), PODS: (200, NO_KEYS), KEYS: (403, {"detail": "no"})}
    with service(answers) as url:
        configure(url, SECRET)
        findings = diagnose()
    assert only(findings, "key accepted").result == "warning"
    assert "does not state" in only(findings, "permission").detail
    assert "cannot be listed" in only(findings, "ssh keys").detail


@pytest.mark.parametrize(
    "me", [{"id": "u1"}, {"id": "u1", "scope": None}, {"id": "u1", "scope": {"Instances": None}}, "no"]
)
def test_a_scope_that_is_not_told_is_no_problem(configure: Callable[[str, str], None], me: object) -> None:
    with service({WHOAMI: (200, {"data": me}), KEYS: (200, NO_KEYS)}) as url:
        configure(url, SECRET)
        findings = diagnose()
    assert only(findings, "permission").result == "ok"
    assert not [finding for finding in findings if finding.result == "problem"]


def test_an_account_without_an_ssh_key_is_warned(configure: Callable[[str, str], None]) -> None:
    with service({WHOAMI: (200, {"data": ME}), KEYS: (200, NO_KEYS)}) as url:
        configure(url, SECRET)
        assert "no one can log in" in only(diagnose(), "ssh keys").detail


@pytest.mark.parametrize(
    ("minutes", "says"), [(0, "agrees"), (10, "10 min behind"), (-10, "10 min ahead of")]
)
def test_a_clock_that_is_off_is_told(configure: Callable[[str, str], None], minutes: int, says: str) -> None:
    date = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    with service({WHOAMI: (200, {"data": ME}), KEYS: (200, NO_KEYS)}, date=date) as url:
        configure(url, SECRET)
        finding = only(diagnose(), "clock")
    assert says in finding.detail
    assert (finding.result == "ok") == (minutes == 0)


def test_a_service_that_cannot_be_reached_is_a_problem(configure: Callable[[str, str], None]) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port, and it refuses.
        taken.bind(("127.0.0.1", 0))
        configure(f"http://127.0.0.1:{taken.getsockname()[1]}", SECRET)
        finding = only(diagnose(), "service")
    assert finding.result == "problem"
    assert "Cannot reach" in finding.detail


@pytest.mark.parametrize("answered", [False, True], ids=["never", "until the last question"])
def test_a_service_that_does_not_answer_is_not_waited_for(
    configure: Callable[[str, str], None], answered: bool
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        configure(f"http://127.0.0.1:{listener.getsockname()[1]}", SECRET)
        hang_up = threading.Event()
        talker = threading.Thread(target=_answer_twice, args=[listener, hang_up])
        if answered:
            talker.start()
        began = time.monotonic()
        findings = diagnose(timeout_s=0.5)
        hang_up.set()
        if answered:
            talker.join(timeout=10)
        # Far above what is asked for, and far below the 30 s of the transport.
        assert time.monotonic() - began < 15
    assert by_check(findings, "service")[-1].detail.endswith("answer within 0.5 s")
    assert bool(by_check(findings, "key accepted")) == answered
    assert findings[-1].check == "launch notes"


def _answer_twice(listener: socket.socket, hang_up: threading.Event) -> None:
    body = json.dumps({"data": ME}).encode()
    connection, _ = listener.accept()
    with connection:
        for answer in (b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found"):
            connection.recv(65536)
            head = f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            connection.sendall(answer + head + body)
        # The next question is not answered.
        hang_up.wait(20)


def test_a_page_in_between_is_a_problem(configure: Callable[[str, str], None]) -> None:
    with service({WHOAMI: (503, {"detail": "maintenance"})}) as url:
        configure(url, SECRET)
        findings = diagnose()
    assert only(findings, "service").result == "problem"
    assert not by_check(findings, "key accepted")


@pytest.mark.parametrize(
    ("url", "says"), [("http://10.0.0.7:8000", "unencrypted"), ("nonsense", "not valid")]
)
def test_a_url_that_must_not_get_a_key_is_a_problem(
    configure: Callable[[str, str], None], url: str, says: str
) -> None:
    configure(url, SECRET)
    findings = diagnose()
    assert only(findings, "settings").result == "problem"
    assert says in only(findings, "settings").detail
    assert "PRIME_API_BASE_URL" in only(findings, "settings").detail


def test_a_broken_file_is_told_with_and_without_a_key(
    home: Path, sandbox: SandboxControl, configure: Callable[[str, str], None]
) -> None:
    (home / ".prime").mkdir()
    (home / ".prime" / "config.json").write_text(f'{{"api_key": "{SECRET}')
    assert only(diagnose(), "settings").result == "problem"
    configure(sandbox.url, KEY)
    finding = only(diagnose(), "settings")
    assert finding.result == "warning"
    assert "line 1, column 13" in finding.detail


def test_a_key_that_others_can_read_is_one_line(home: Path) -> None:
    folder = home / ".prime"
    (folder / "environments").mkdir(parents=True)
    for name, key in (("config", SECRET), ("environments/work", SECRET), ("environments/none", "")):
        (folder / f"{name}.json").write_text(json.dumps({"api_key": key, "base_url": "http://127.0.0.1:1"}))
        (folder / f"{name}.json").chmod(0o644)
    finding = only(diagnose(), "files")
    assert finding.what_to_do == "chmod 600 ~/.prime/config.json ~/.prime/environments/work.json"
    (folder / "config.json").chmod(0o600)
    (folder / "environments" / "work.json").chmod(0o600)
    assert not by_check(diagnose(), "files")


def test_the_label_that_the_official_command_line_leaves_is_shown(home: Path) -> None:
    (home / ".prime").mkdir()
    (home / ".prime" / "config.json").write_text('{"current_environment": "work"}')
    assert only(diagnose(), "context").detail == "work (copied into ~/.prime/config.json)"


def test_a_key_and_a_url_from_different_places_are_told(
    home: Path, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".prime").mkdir()
    (home / ".prime" / "config.json").write_text(json.dumps({"api_key": KEY}))
    monkeypatch.setenv("PRIME_API_BASE_URL", sandbox.url)
    finding = only(diagnose(), "key")
    assert finding.result == "warning"
    assert "is sent to the URL from PRIME_API_BASE_URL" in finding.detail


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://user:{SECRET}@proxy.test:3128", "HTTPS_PROXY is proxy.test:3128; not tried"),
        (f"user:{SECRET}@proxy.test:3128", "HTTPS_PROXY is proxy.test:3128; not tried"),
        (f"http://user:{SECRET}@[bad", "HTTPS_PROXY cannot be used (it is not a URL)"),
        (f"http://user:{SECRET}@proxy.test:{SECRET}", "HTTPS_PROXY cannot be used (it is not a URL)"),
        (f"http://user:{SECRET}@", "HTTPS_PROXY cannot be used (it is not a URL)"),
        ("http://", "HTTPS_PROXY cannot be used (it is not a URL)"),
        ("https://:3128", "HTTPS_PROXY cannot be used (it is not a URL)"),
        ("https://.proxy.test", "HTTPS_PROXY cannot be used (it is not a URL)"),
        ("  ", "HTTPS_PROXY cannot be used (it is not a URL)"),
    ],
)
def test_a_proxy_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str, says: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    findings = diagnose()
    assert says in only(findings, "proxy").detail
    assert only(findings, "proxy").result != "ok"
    assert SECRET not in str(findings)


def test_an_empty_proxy_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "")
    assert (only(diagnose(), "proxy").result, only(diagnose(), "proxy").detail) == ("ok", "none")


def test_a_proxy_is_not_used_for_this_computer(
    monkeypatch: pytest.MonkeyPatch, sandbox: SandboxControl, configure: Callable[[str, str], None]
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test")
    configure(sandbox.url, KEY)
    findings = diagnose()
    assert only(findings, "proxy").detail == "ALL_PROXY is proxy.test; not used for 127.0.0.1"
    assert only(findings, "service").result == "ok"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None], variable: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, f"/nowhere/{SECRET}")
    finding = only(diagnose(), "certificates")
    assert (finding.result, finding.what_to_do) == ("problem", f"correct or unset {variable}")
    assert SECRET not in str(finding)


def test_of_several_folders_of_certificates_one_will_do(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None], tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(["/nowhere", str(tmp_path)]))
    assert only(diagnose(), "certificates").result != "problem"


def test_a_client_that_cannot_be_made_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://user:{SECRET}@proxy.test")
    configure("https://api.example.test", SECRET)
    findings = diagnose()
    assert only(findings, "service").result == "problem"
    assert "proxy variable" in only(findings, "service").detail
    assert SECRET not in str(findings)


def test_notes_of_launches_that_cannot_be_written_are_warned_of(home: Path) -> None:
    (home / ".local").write_text("a program where a folder belongs")
    (home / ".local").chmod(0o755)
    assert only(diagnose(), "launch notes").result == "warning"


def test_a_computer_without_a_home_is_diagnosed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    findings = diagnose()
    assert only(findings, "launch notes").result != "ok"
    assert only(findings, "url").result == "ok"


def test_no_finding_tells_a_secret_and_no_file_is_touched(
    home: Path, sandbox: SandboxControl, configure: Callable[[str, str], None]
) -> None:
    (home / ".prime").mkdir()
    (home / ".prime" / "config.json").write_text(json.dumps({"api_key": SECRET, "team_id": 5}))
    before = {path: os.stat(path).st_mtime_ns for path in home.rglob("*")}
    for url in (sandbox.url, "http://10.0.0.7"):
        configure(url, SECRET)
        assert SECRET[4:] not in str(diagnose())
    assert {path: os.stat(path).st_mtime_ns for path in home.rglob("*")} == before


def test_a_url_that_nobody_chose_is_the_default() -> None:
    assert only(diagnose(), "url").detail == f"{LIVE_URL} from the default"
