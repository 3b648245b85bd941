"""A variable that keeps requests from being sent is named, and only what a request has passed is ok."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.connection.open_client import find_blame, open_client
from primepods_magic.pods.doctor import Finding, diagnose
from tests.support.tls import make_certificate, proxied

SECRET = "pit_0123456789abcdef0123456789abcdef"
PASSWORD = "proxy-password-0123456789"
URL = "https://pods.test"
ANSWERS = {
    "/api/v1/user/whoami": {"data": {"id": "u1", "name": "Ada", "scope": None}},
    "/api/v1/ssh_keys/": {"data": [], "total_count": 0},
}
VARIABLES = (
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE REQUESTS_CA_BUNDLE "
    "CURL_CA_BUNDLE"
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    disconnect()
    yield
    disconnect()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "pods.test")


@pytest.fixture
def not_pem(tmp_path: Path) -> str:
    path = tmp_path / "not.pem"
    path.write_text("no certificate")
    return str(path)


def find(findings: list[Finding], check: str) -> Finding:
    (finding,) = [finding for finding in findings if finding.check == check]
    return finding


def ask_doctor(monkeypatch: pytest.MonkeyPatch, timeout_s: float = 5.0) -> list[Finding]:
    monkeypatch.setenv("PRIME_API_BASE_URL", URL)
    monkeypatch.setenv("PRIME_API_KEY", SECRET)
    return diagnose(timeout_s=timeout_s)


UNUSABLE = [
    ("NO_PROXY", "localhost,fe80::/10", "'fe80::/10'"),
    ("no_proxy", "fd00::/8, ::1", "'fd00::/8'"),
    ("NO_PROXY", "a.test,[fe80::1", "'[fe80::1'"),
    ("HTTPS_PROXY", f"ftp://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("HTTPS_PROXY", f"htp://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("https_proxy", f"http://ada:{PASSWORD}@proxy.test:notaport", "not a URL"),
    ("HTTPS_PROXY", f"http://ada:{PASSWORD}@[::1", "not a URL"),
    ("ALL_PROXY", f"socks4://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("HTTP_PROXY", "http://[fe80::1%eth0]:3128:1", "not a URL"),
    ("SSL_CERT_FILE", f"/nowhere/{PASSWORD}", "the path does not exist"),
    ("SSL_CERT_FILE", "NOT_PEM", "no certificates"),
    ("SSLKEYLOGFILE", f"/nowhere/{PASSWORD}", "the path does not exist"),
]


@pytest.mark.parametrize(("variable", "value", "reason"), UNUSABLE)
def test_a_variable_that_cannot_be_used_is_named_by_connect_and_by_the_doctor(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str, not_pem: str
) -> None:
    monkeypatch.setenv(variable, not_pem if value == "NOT_PEM" else value)
    # Innocent ones beside it are not blamed.
    for name, innocent in (
        ("HTTP_PROXY", "http://proxy.test:3128"),
        ("NO_PROXY", "localhost,::1,127.0.0.0/8"),
    ):
        if name.casefold() != variable.casefold():
            monkeypatch.setenv(name, innocent)
    with pytest.raises(NotConfigured) as caught:
        connect(settings=Settings(URL, SECRET))
    said = str(caught.value)
    assert f"variable {variable} cannot be used" in said
    assert reason in said
    assert f"Correct or unset {variable}" in said
    findings = ask_doctor(monkeypatch)
    check = "proxy" if variable.upper().endswith("PROXY") else "certificates"
    assert find(findings, check).result == "problem"
    assert variable in find(findings, check).detail
    assert find(findings, check).what_to_do == f"correct or unset {variable}"
    assert find(findings, "service").result == "problem"
    assert PASSWORD not in said + str(findings)
    assert os.environ[variable]


def test_a_socks_proxy_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://ada:{PASSWORD}@proxy.test:1080")
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    with pytest.raises(NotConfigured, match=r"pip install 'httpx\[socks\]', or unset ALL_PROXY") as caught:
        open_client(Settings(URL, SECRET))
    assert PASSWORD not in str(caught.value)
    assert "ALL_PROXY" in find(ask_doctor(monkeypatch), "proxy").detail


def test_two_variables_at_once_are_both_named(monkeypatch: pytest.MonkeyPatch, not_pem: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.test")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test")
    monkeypatch.setenv("SSL_CERT_FILE", not_pem)
    assert sorted(find_blame(lambda: Client(Settings(URL, SECRET)))) == ["HTTPS_PROXY", "SSL_CERT_FILE"]


def test_what_a_request_has_passed_through_is_ok(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    connected: list[str] = []
    with proxied(certificate, ANSWERS, connected) as proxy:
        monkeypatch.setenv("https_proxy", proxy.replace("//", f"//ada:{PASSWORD}@"))
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        findings = ask_doctor(monkeypatch)
    place = proxy.removeprefix("http://")
    assert find(findings, "proxy") == Finding(
        "proxy", "ok", f"HTTPS_PROXY is {place}; the service answers through it"
    )
    assert find(findings, "certificates") == Finding("certificates", "ok", "from SSL_CERT_FILE")
    assert set(connected) == {"pods.test:443"}
    assert PASSWORD not in str(findings)


def test_certificates_that_do_not_fit_are_blamed(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with proxied(certificate, ANSWERS, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(make_certificate(tmp_path, "other.test")))
        monkeypatch.setattr("certifi.where", lambda: str(certificate))
        findings = ask_doctor(monkeypatch)
        assert "certificate is not trusted here" in find(findings, "service").detail
        assert find(findings, "service").what_to_do.startswith("correct or unset SSL_CERT_FILE")
        assert find(findings, "certificates").result == find(findings, "proxy").result == "warning"
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
        findings = ask_doctor(monkeypatch)
        assert find(findings, "service").what_to_do.startswith("correct or unset SSL_CERT_DIR")


def test_a_proxy_that_is_not_there_is_blamed_if_the_service_answers_without_it(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    with socket.socket() as taken, proxied(certificate, ANSWERS, []) as proxy:
        # Bound and not listening: nobody else gets the port, and it refuses.
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("ALL_PROXY", proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        findings = ask_doctor(monkeypatch)
    assert (
        find(findings, "service").what_to_do == "correct or unset HTTPS_PROXY: the service answers without it"
    )
    assert find(findings, "proxy").result == "warning"
    assert "not reached through it" in find(findings, "proxy").detail


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_for_other_programs_are_said_not_to_be_read(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    finding = find(diagnose(), "certificates")
    assert finding.result == "warning"
    assert f"{variable} is set, but not used here" in finding.detail
    assert "SSL_CERT_FILE" in finding.what_to_do
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert variable not in find(diagnose(), "certificates").detail


def test_without_a_key_nothing_is_ok_that_was_not_tried(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://[2001:db8::1]:3128")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    findings = diagnose()
    assert (
        find(findings, "proxy").detail == "HTTPS_PROXY is [2001:db8::1]:3128; not tried: there is no API key"
    )
    assert find(findings, "proxy").result == find(findings, "certificates").result == "warning"


@pytest.mark.parametrize("no_proxy", ["pods.test", "*", ".test"])
def test_a_proxy_that_is_not_used_is_said_not_to_be(monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("PRIME_API_BASE_URL", URL)
    assert find(diagnose(), "proxy").detail == "HTTPS_PROXY is proxy.test:3128; not used for pods.test"


@pytest.mark.parametrize("timeout_s", [float("nan"), -1, "5", None, True])
def test_the_doctor_refuses_a_time_that_is_none(timeout_s: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout_s"):
        diagnose(timeout_s=timeout_s)


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e300, 10**30])
def test_the_doctor_refuses_a_time_without_end(timeout_s: float) -> None:
    with pytest.raises(InvalidRequest, match="30 days"):
        diagnose(timeout_s=timeout_s)
