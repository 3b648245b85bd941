"""A key that may not say whose it is: listings say so, and -y alone does not end several pods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic.api import errors
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.launching.launch import launch
from tests.support.sandbox_control import SandboxControl
from tests.support.silent import silent_about_itself

UNKNOWN = "not known to be yours: the service does not say who you are, or whose they are"


@pytest.fixture
def unsure(shell: Any, running_sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The shell at a service that refuses to say whose key it is, where two pods live."""
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", running_sandbox.url)
    for name in ("train", "eval"):
        launch(gpu="L4_24GB", name=name, connection=connect(sandbox=True))
    disconnect()
    with silent_about_itself(running_sandbox.url, hides_user=True) as url:
        monkeypatch.setenv("PRIME_API_KEY", running_sandbox.key)
        monkeypatch.setenv("PRIME_API_BASE_URL", url)
        shell.run("%pods connect --live")
        shell.run("%config PodsMagics.poll_interval_s = 0.2")
        yield shell


def test_listings_say_that_it_is_not_known_whose_pods_they_are(unsure: Any) -> None:
    unsure.run("%pods ls")
    # What they cost while they come up depends on how far they are.
    assert re.search(rf"2 pods · \$[\d.]+/h now · {UNKNOWN}", unsure.output.text)
    unsure.run("%pods")
    assert re.search(rf"2 live pods, \$[\d.]+/h · {UNKNOWN}", unsure.output.text)
    unsure.run("%pods ls --all")
    assert UNKNOWN not in unsure.output.text


def test_several_pods_that_are_not_known_to_be_mine_are_not_ended_by_yes_alone(unsure: Any) -> None:
    unsure.run("mine = %pods ls")
    with pytest.raises(errors.InvalidRequest, match=r"not known to be yours: .*Nothing was done.*--others"):
        unsure.run("%pods rm {mine.id} -y")
    assert len(unsure.run("%pods ls")) == 2
    assert list(unsure.run("%pods rm {mine.id[0]} -y")["outcome"]) == ["terminated"]
    assert len(unsure.run("%pods ls")) == 1


def test_several_pods_that_are_not_known_to_be_mine_are_ended_if_that_is_said(unsure: Any) -> None:
    unsure.run("mine = %pods ls")
    assert list(unsure.run("%pods rm {mine.id} -y --others")["outcome"]) == ["terminated"] * 2
