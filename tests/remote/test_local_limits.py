"""A computer that lacks what a connection needs: files, threads, or a folder for temporary files."""

from __future__ import annotations

import resource
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from primepods_magic.api.errors import PodsError, SshFailed
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import find_link, open_link
from primepods_magic.remote.ssh.client import SshRoute, open_ssh
from primepods_magic.remote.ssh.routes import _is_newer, find_route
from tests.remote.conftest import describe_pod, pin_host


@pytest.fixture
def route(connection: Connection) -> SshRoute:
    pin_host()
    return find_route(connection, describe_pod("someone@127.0.0.1 -p 9"))


@contextmanager
def no_more_files() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_missing_folder_for_temporary_files_is_named(
    route: SshRoute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SshFailed, match=r"Nothing was run on the pod\. Make .*gone a folder .* set TMPDIR"):
        PodLink(route, lambda: None).request("jobs").result(10)


def test_too_many_open_files_are_an_error(route: SshRoute) -> None:
    _is_newer.cache_clear()
    with no_more_files():
        with (
            pytest.raises(SshFailed, match=r"Nothing was run on the pod\. Close files"),
            open_ssh(route, "true"),
        ):
            pytest.fail("it was started")
        with pytest.raises(SshFailed, match="ssh does not run"):
            _is_newer(route.words[0])


@pytest.mark.parametrize("name", ["primepods-link", "primepods-link-watcher"])
def test_too_many_threads_are_an_error(
    connection: Connection, route: SshRoute, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    start = threading.Thread.start

    def start_most(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    pod = describe_pod("someone@127.0.0.1 -p 9")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_most)
        with pytest.raises(PodsError, match="cannot start another thread"):
            open_link(connection, pod).request("jobs").result(10)
    # The next one may be able to.
    link = find_link(connection, pod.id)
    assert link is None or not link.is_alive
