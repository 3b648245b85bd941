"""`NO_PROXY` excludes what other programs take it to exclude, and a bad entry does not undo the others."""

from __future__ import annotations

import os

import pytest

from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.settings import Settings

PROXY = "http://ada:s3cr3t-0123456789@proxy.test:3128"
EXCLUDED = [
    ("https://pods.test", "pods.test"),
    ("https://api.pods.test", "pods.test"),
    ("https://api.pods.test", ".pods.test"),
    ("https://pods.test", ".pods.test"),
    ("https://api.pods.test", "*.pods.test"),
    ("https://pods.test", "POSTS.TEST, Pods.Test."),
    ("https://pods.test", "a.test b.test pods.test"),
    ("https://pods.test", ",,a.test,*"),
    ("https://bücher.test", "bücher.test"),
    ("https://pods.test", "pods.test:443"),
    ("https://pods.test:8443", "pods.test:8443"),
    ("https://pods.test:8443", "pods.test"),
    ("https://pods.test", "https://pods.test/"),
    ("https://10.1.2.3", "10.0.0.0/8"),
    ("https://10.1.2.3:8443", "10.1.2.3:8443"),
    ("https://10.1.2.3", "10.1.2.9/24"),
    ("https://[fd00::5]", "fd00::/8"),
    ("https://[fd00::5]", "[fd00::]/8"),
    ("https://[fd00::5]", "fd00:0:0:0::5"),
    ("https://[fd00::5]", "[FD00::5]"),
    ("https://[fd00::5]:8443", "[fd00::5]:8443"),
    ("https://[::ffff:10.1.2.3]", "10.0.0.0/8"),
    ("https://pods.test", "[fe80::1,10.0.0.0/99,pods.test"),
]
PROXIED = [
    ("https://notpods.test", "pods.test"),
    ("https://pods.test", "api.pods.test"),
    ("https://pods.test", "*.pods.test"),
    ("https://pods.test:8443", "pods.test:443"),
    ("https://pods.test", "http://pods.test"),
    ("https://10.1.2.33", "10.1.2.3"),
    ("https://11.1.2.3", "10.0.0.0/8"),
    ("https://10.1.2.3", "10.*,2.3,.3"),
    ("https://[fe80::5]", "fd00::/8,10.0.0.0/8"),
    ("https://pods.test", ". , .."),
    ("https://pods.test", "localhost,127.0.0.0/8,::1/128,fe80::/10,[::1"),
]


@pytest.fixture(autouse=True)
def proxy_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)


@pytest.mark.parametrize(("url", "no_proxy"), EXCLUDED)
def test_excludes(monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    session = HttpSession(Settings(url, "key"))
    assert session.proxy is None
    session.close()


@pytest.mark.parametrize(("url", "no_proxy"), PROXIED)
def test_does_not_exclude(monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str) -> None:
    monkeypatch.setenv("no_proxy", no_proxy)
    session = HttpSession(Settings(url, "key"))
    assert session.proxy is not None
    assert (session.proxy.place, session.proxy.variable) == ("proxy.test:3128", "HTTPS_PROXY")
    assert "s3cr3t" not in f"{session.proxy!r} {session.proxy} {vars(session.proxy)} {vars(session)}"
    session.close()


def test_takes_the_variable_for_https_and_then_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://plain.test:8080")
    monkeypatch.setenv("ALL_PROXY", "http://all.test")
    monkeypatch.setenv("https_proxy", "http://lower.test")
    session = HttpSession(Settings("https://pods.test", "key"))
    for variable, place in (
        ("https_proxy", "lower.test"),
        ("HTTPS_PROXY", "proxy.test:3128"),
        ("ALL_PROXY", "all.test"),
    ):
        assert session.proxy is not None
        assert (session.proxy.variable, session.proxy.place) == (variable, place)
        monkeypatch.delenv(variable)
        session.follow_environment()
    assert session.proxy is None
    session.close()
