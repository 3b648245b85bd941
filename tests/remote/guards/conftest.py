"""Sandboxes whose database can be read beside them, and the guard process of a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from primepods_magic import launch
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.records import find_account_folder, list_records, take_news
from primepods_magic.pods.pod import Pod
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.waiting import eventually

WITHIN_S = 30.0


@dataclass
class Guarded:
    """An account, its sandbox, and what the guards of this computer have written about its pods."""

    control: SandboxControl
    database: Path
    connection: Connection
    folder: Path

    def launch(self, name: str = "train", **fields: Any) -> Pod:
        fields = {"gpu": "L4_24GB", "name": name, **fields}
        return launch(tell=lambda _: None, connection=self.connection, **fields)

    def advance(self, seconds: float) -> None:
        self.control.advance(seconds)

    def fail(self, *rules: dict[str, Any]) -> None:
        """Let requests fail from now on, as these rules say; none lets them succeed."""
        answer = self.control.api.put("/sandbox/faults", json=list(rules) or "none")
        assert answer.is_success, answer.text

    def is_live(self, pod: Pod) -> bool:
        return any(each.id == pod.id for each in self.connection.client.list_all_pods())

    def await_end(self, pod: Pod) -> None:
        eventually(lambda: not list_records(self.folder), "the guard is done", within=WITHIN_S)
        assert not self.is_live(pod)

    def await_news(self, text: str) -> list[str]:
        """Wait until a line for the next command of a person has this text, and return all lines by then."""
        news: list[str] = []

        def is_said() -> bool:
            news.extend(take_news(self.folder))
            return any(text in line for line in news)

        eventually(is_said, f"'{text}' is said", within=WITHIN_S)
        return news

    def count_deletions(self, pod: Pod) -> int:
        """How often the service was asked to end a pod and did, by its database."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            query = "SELECT count(*) FROM events WHERE pod_id = ? AND kind = 'delete'"
            return int(database.execute(query, (pod.id,)).fetchone()[0])


@pytest.fixture
def open_account(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Guarded]]:
    """An account of a sandbox with these settings, by default one whose clock moves only when told to."""
    database = tmp_path / "sandbox.db"
    running: list[Any] = []

    def open_account(key: str = "", **settings: Any) -> Guarded:
        context = controlled(db=database, **{"clock": "stepped", "history": 0, **settings})
        running.append(context)
        control = context.__enter__()
        monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", control.url)
        connection = connect(settings=Settings(control.url, key)) if key else connect(sandbox=True)
        folder = find_account_folder(connection)
        assert folder is not None
        return Guarded(control, database, connection, folder)

    yield open_account
    disconnect()
    for context in running:
        context.__exit__(None, None, None)


@pytest.fixture
def guarded(open_account: Callable[..., Guarded]) -> Guarded:
    return open_account()
