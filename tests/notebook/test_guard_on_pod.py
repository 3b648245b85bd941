"""`%pods guard NAME --on pod`: where the key comes from, and what is said about where the guard runs."""

from __future__ import annotations

import getpass
import io
from typing import Any

import pytest

from primepods_magic.api.errors import GuardNotArmed, InvalidRequest
from tests.notebook.test_exec import pod_shell as pod_shell
from tests.pods.test_machines import disconnected as disconnected
from tests.pods.test_machines import machines as machines

WRONG_KEY = "wrong-key-0123456789abcdef"


class Terminal(io.StringIO):
    """A terminal, in which a person types."""

    def isatty(self) -> bool:
        return True


def test_the_key_is_typed_hidden_or_in_the_environment_and_never_shown(
    pod_shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="Set PRIMEPODS_GUARD_KEY"):
        pod_shell.run("%pods guard train --for 4h --on pod")
    typed = [WRONG_KEY, "sandbox-pods"]
    monkeypatch.setattr(getpass, "getpass", lambda prompt: typed.pop(0))
    monkeypatch.setattr("sys.stdin", Terminal())
    with pytest.raises(
        GuardNotArmed, match="on the pod, the pod cannot be read: the key is not valid"
    ) as caught:
        pod_shell.run("%pods guard train --for 4h --on pod")
    frame = pod_shell.run("%pods guard train --for 4h --on pod")
    assert frame["where"].tolist() == ["pod"]
    pod_shell.run("frame = _")
    armed = "tested from there; the guard runs on the pod and works while the pod's network works, also while"
    text = pod_shell.run("%pods guard train --idle 30m") is not None and pod_shell.output.text
    assert armed in text
    for words in (text, str(caught.value), str(pod_shell.user_ns)):
        assert WRONG_KEY not in words
        assert "sandbox-pods" not in words
    pod_shell.run("%pods guard train --off")
    assert typed == []
