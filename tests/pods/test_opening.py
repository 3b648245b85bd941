"""A variable that keeps requests from being sent is named, and only what a request has passed is ok."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest, NotConfigured, ServiceUnavailable
from primepods_magic.api.http.route import certificates
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.connection.open_client import find_blame, open_client
from primepods_magic.pods.doctor import Finding, diagnose
from tests.support.guard import loopback_guard
from tests.support.tls import index_certificate, make_certificate, proxied

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
    ("HTTPS_PROXY", f"ftp://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("HTTPS_PROXY", f"htp://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("https_proxy", f"http://ada:{PASSWORD}@proxy.test:notaport", "not a URL"),
    ("HTTPS_PROXY", f"http://ada:{PASSWORD}@[::1", "not a URL"),
    ("ALL_PROXY", f"socks4://ada:{PASSWORD}@proxy.test", "kind of proxy"),
    ("HTTPS_PROXY", "http://[fe80::1%eth0]:3128:1", "not a URL"),
    ("HTTPS_PROXY", f"http://ada:12#{PASSWORD}@proxy.test:3128", "write #, / and ? of its user or password"),
    ("HTTPS_PROXY", f"http://{PASSWORD}:a/b@proxy.test:3128", "write #, / and ? of its user or password"),
    ("HTTPS_PROXY", f'"http://ada:{PASSWORD}@proxy.test:3128"', "quotation marks"),
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
        ("NO_PROXY", "localhost,::1/128,fe80::/10,[fd00::1"),
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
        "proxy", "ok", f"https_proxy is {place}; the service answers through it"
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


@pytest.mark.parametrize("is_folder", [False, True])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_of_other_programs_are_trusted_as_well(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, tmp_path: Path, variable: str, is_folder: bool
) -> None:
    # Without the proxy, the doctor would look the service up.
    with proxied(certificate, ANSWERS, []) as proxy, loopback_guard.expecting():
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
        findings = ask_doctor(monkeypatch)
        # A variable that is not ours never prevents requests.
        assert "its certificate is not trusted here: self-signed" in find(findings, "service").detail
        assert find(findings, "service").what_to_do.startswith(
            "If your network inspects TLS, set SSL_CERT_FILE"
        )
        assert f"what {variable} names cannot be used" in find(findings, "certificates").detail
        monkeypatch.setenv(variable, str(index_certificate(certificate) if is_folder else certificate))
        findings = ask_doctor(monkeypatch)
    assert find(findings, "certificates") == Finding("certificates", "ok", f"the default ones and {variable}")
    assert find(findings, "service").result == "ok"


def test_a_file_and_a_folder_of_certificates_are_both_used(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(make_certificate(tmp_path, "other.test")))
    monkeypatch.setenv("SSL_CERT_DIR", str(index_certificate(certificate)))
    with proxied(certificate, ANSWERS, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert find(ask_doctor(monkeypatch), "service").result == "ok"


def test_certificates_that_an_administrator_added_are_trusted(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setattr(certificates, "_SYSTEM_BUNDLES", ("/nowhere", str(certificate)))
    with proxied(certificate, ANSWERS, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert find(ask_doctor(monkeypatch), "service").result == "ok"


@pytest.mark.parametrize("given", ["", f"ada:wrong-{PASSWORD}@"])
def test_a_proxy_that_wants_a_password_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, given: str
) -> None:
    with proxied(certificate, ANSWERS, [], login=f"ada:{PASSWORD}") as proxy, loopback_guard.expecting():
        place = proxy.removeprefix("http://")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("HTTPS_PROXY", f"http://{given}{place}")
        findings = ask_doctor(monkeypatch)
        assert "the proxy refused: 407 Who is " in find(findings, "service").detail
        if given:
            assert "Correct the user and password in HTTPS_PROXY" in find(findings, "service").what_to_do
        else:
            todo = f"Give HTTPS_PROXY a user and password: http://USER:PASSWORD@{place}"
            assert find(findings, "service").what_to_do == todo
        # The proxy repeats what it was given.
        assert PASSWORD not in str(findings)
        assert base64.b64encode(given.encode()).decode()[:-4] not in str(findings) or not given
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:{PASSWORD}@{place}")
        assert find(ask_doctor(monkeypatch), "service").result == "ok"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_error_names_the_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://ada:{PASSWORD}@{place}")
        with open_client(Settings(URL, SECRET)) as client, pytest.raises(ServiceUnavailable) as caught:
            client.session.request("GET", "/x", budget_s=0)
    assert f"(connection refused or no route: the proxy {place})" in str(caught.value)
    assert str(caught.value).endswith("Check HTTPS_PROXY and the network, and try again")


def test_a_proxy_that_speaks_no_tls_is_told_to_be_http(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    with proxied(certificate, ANSWERS, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("http://", "https://"))
        with open_client(Settings(URL, SECRET)) as client, pytest.raises(ServiceUnavailable) as caught:
            client.session.request("GET", "/x", budget_s=0)
    assert "Begin HTTPS_PROXY with http://" in str(caught.value)


@pytest.mark.parametrize("address", [" {}/ \n", "127.0.0.1:{}", "HTTP://127.0.0.1:{}"])
def test_a_proxy_may_be_written_as_other_programs_take_it(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, address: str
) -> None:
    with proxied(certificate, ANSWERS, []) as proxy:
        value = address.format(proxy if address.startswith(" ") else proxy.rpartition(":")[2])
        monkeypatch.setenv("HTTPS_PROXY", value)
        # Variables for other services are not read.
        monkeypatch.setenv("HTTP_PROXY", "ftp://proxy.test")
        monkeypatch.setenv("ALL_PROXY", "socks4://proxy.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert find(ask_doctor(monkeypatch), "service").result == "ok"


def test_an_exclusion_is_blamed_if_the_service_answers_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    with proxied(certificate, ANSWERS, []) as proxy, loopback_guard.expecting():
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("no_proxy", ".test")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        findings = ask_doctor(monkeypatch)
    todo = "correct or unset no_proxy: the service answers without it"
    assert find(findings, "service").what_to_do == todo


def test_entries_of_no_proxy_that_exclude_nothing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,10.*,[fe80::1,.example")
    finding = find(diagnose(), "no proxy")
    assert finding.result == "warning"
    assert "'10.*'" in finding.detail
    assert "'[fe80::1'" in finding.detail
    assert "in NO_PROXY" in finding.detail
    assert "localhost" not in finding.detail


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
    unused = f"not used for pods.test, which '{no_proxy}' in NO_PROXY excludes"
    assert find(diagnose(), "proxy").detail == f"HTTPS_PROXY is proxy.test:3128; {unused}"


@pytest.mark.parametrize("timeout_s", [float("nan"), -1, "5", None, True])
def test_the_doctor_refuses_a_time_that_is_none(timeout_s: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout_s"):
        diagnose(timeout_s=timeout_s)


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e300, 10**30])
def test_the_doctor_refuses_a_time_without_end(timeout_s: float) -> None:
    with pytest.raises(InvalidRequest, match="30 days"):
        diagnose(timeout_s=timeout_s)
