"""Whatever a service says, in whatever field: nothing of it is evaluated, and nothing is shown unescaped."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import PodsError
from tests.support.hostile import FORGED, Hostile, hostile
from tests.support.sandbox_control import SandboxControl

# Everything that acts in a terminal, turns text around, or has no shape, but for the end of a line.
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
    "|[\U000e0000-\U000e0fff]"
)
TAGS = set(
    "a article b bdi br button code details div h3 li p pre span strong style summary table tbody td th thead "
    "time tr ul".split()
)

COMMANDS = """
%pods
%pods ls --all
%pods show train
%pods show broken
%pods show nobody
%pods status
%pods status train broken
%pods avail
%pods avail --gpu L4_24GB --max-price 5
%pods avail --gpu NOPE
%pods watch --timeout 2s
%pods wait train --timeout 2s
%pods wait broken --timeout 2s
%pods logs train
%pods logs train --tail 3
%pods logs train --follow --timeout 2s
%pods ssh train
%pods ssh broken
%pods ssh train --config
%pods rm nobody
%pods history
%pods history --limit 3
%pods costs --by name,provisioned_by,team,gpu
%pods costs timeline
%pods costs dearest
%pods costs waste
%pods costs prices
%pods wallet
%pods wallet --team nobody
%pods disks
%pods keys
%pods keys primary nobody
%pods teams
%pods teams nobody
%pods teams 'Analytical Engines'
%pods connect
%pods doctor
%pods cache
%pods launcher
%pod_create --gpu L4_24GB --name train
%pod_create --gpu L4_24GB --name train --image other
%pod_create --gpu L4_24GB --name broken
%pod_create --gpu L4_24GB --name other --dry-run
%pod_create --gpu L4_24GB --name other
%pod_create --gpu L4_24GB --name dear --max-price 0.001
pod = %pods show train
print(pod); pod
pod.details
pod.logs()
pod.connections, pod.ports, pod.ssh
%pods rm train -y
%pods rm broken other -y
""".strip().splitlines()


class Markup(HTMLParser):
    """What a page would make of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.wrong += [tag] * (tag not in TAGS)
        self.wrong += [name for name, _ in attrs if name.startswith("on")]
        self.wrong += [
            f"{name}={value}"
            for name, value in attrs
            if name in ("href", "src") and not (value or "").startswith(("http://", "https://"))
        ]

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "pre" not in self._open and (data.count("$") > 1 or re.search(r"\\[(\[b]", data)):
            self.wrong.append(f"is typeset: {data}")


def check_text(text: str, *, is_log: bool = False) -> None:
    found = ACTS.search(text)
    assert not found, f"{found[0]!a} in {text[max(found.start() - 80, 0) : found.end() + 20]!a}"
    forged = [line for line in text.splitlines() if line.strip().startswith(FORGED)]
    assert is_log or not forged, forged


def check_html(html: str) -> None:
    assert not Markup(html).wrong, (Markup(html).wrong, html)
    found = ACTS.search(html)
    assert not found, f"{found[0]!a} in {html[max(found.start() - 80, 0) : found.end() + 20]!a}"


def check_output(output: Any, *, is_log: bool = False) -> None:
    for text in (output.stdout, output.stderr, output.error):
        check_text(text, is_log=is_log)
    for shown in output.shown:
        check_text(shown.data.get("text/plain", ""), is_log=is_log)
        check_html(shown.data.get("text/html", ""))


@contextmanager
def connected(shell: Any, sandbox: SandboxControl, patch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """A shell that is connected to the sandbox by way of a service that spoils nothing yet."""
    with hostile(sandbox.url, lambda endpoint, place: False) as (url, service):
        patch.setenv("PRIMEPODS_SANDBOX_URL", url)
        shell.run("%load_ext primepods_magic")
        shell.run("%pods connect --sandbox")
        try:
            broken = shell.run("broken = %pod_create --gpu L4_24GB --name broken\nbroken.id")
            sandbox.advance(5)
            sandbox.event(broken, "fail_installation")
            shell.run("%pod_create --gpu L4_24GB --name train --wait")
            yield service
        finally:
            service.spoils = lambda endpoint, place: False
            shell.run("%unload_ext primepods_magic")


def run_all(shell: Any, commands: list[str]) -> None:
    for command in commands:
        try:
            shell.run(command)
        except PodsError as error:
            check_text(str(error))
        except (NameError, SyntaxError) as error:
            assert "'pod'" in str(error), command
        try:
            check_output(shell.output, is_log="log" in command)
        except AssertionError as error:
            raise AssertionError(f"{command}: {error}") from None


def test_nothing_hostile_is_evaluated_or_shown_unescaped(
    bare_shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with connected(bare_shell, sandbox, monkeypatch) as service:
        service.spoils = lambda endpoint, place: place.endswith(FIELD)
        run_all(bare_shell, COMMANDS)
        print(sorted(service.seen))
    assert not hasattr(builtins, "was_evaluated")
    assert not (tmp_path / "was-touched").exists()


import os

FIELD = os.environ.get("FIELD", "name")
