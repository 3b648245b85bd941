"""Arguments of another type are refused in one sentence, and nothing is run or sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.values.remote_value import RemoteValue

MISTAKES: dict[str, Callable[[Any], object]] = {
    "run number": lambda pod: pod.run(5),
    "run bytes": lambda pod: pod.run(b"x"),
    "run None": lambda pod: pod.run(None),
    "run lines": lambda pod: pod.run(["x = 1"]),
    "session": lambda pod: pod.run("x", session=5),
    "session None": lambda pod: pod.run("x", session=None),
    "again": lambda pod: pod.run("x", again="no"),
    "exec number": lambda pod: pod.exec(5),
    "exec None": lambda pod: pod.exec(None),
    "exec bytes": lambda pod: pod.exec(b"x"),
    "exec words": lambda pod: pod.exec(["echo", 5]),
    "put number": lambda pod: pod.put(5),
    "put None": lambda pod: pod.put(None),
    "put bytes": lambda pod: pod.put(b"x"),
    "put numbers": lambda pod: pod.put([5]),
    "put to": lambda pod: pod.put("x", to=5),
    "put progress": lambda pod: pod.put("x", on_progress=5),
    "get number": lambda pod: pod.get(5),
    "get bytes": lambda pod: pod.get(b"x"),
    "get numbers": lambda pod: pod.get([5]),
    "get to": lambda pod: pod.get("x", to=5),
    "sync number": lambda pod: pod.sync(5),
    "sync to": lambda pod: pod.sync(".", to=5),
    "push number": lambda pod: pod.push(5),
    "push key": lambda pod: pod.push({5: 1}),
    "push session": lambda pod: pod.push(a=1, session=5),
    "pull number": lambda pod: pod.pull(5),
    "pull session": lambda pod: pod.pull("a", session=5),
    "fetch": lambda pod: RemoteValue("x", "train", "object").fetch(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", MISTAKES)
def test_another_type_is_refused(pod: Pod, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        MISTAKES[name](pod)
    assert "\n" not in str(caught.value)
