"""Answers about activity that no agent gives: whatever is missing, odd or a contradiction counts as busy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.guards import activity

NAMES = ("cells", "transfers", "gpu", "logins", "cpu", "io", "network")
POD = PodDetails(id="p1", name="train", status="ACTIVE", gpu_count=2)


def make_answer() -> dict[str, Any]:
    idle = {"state": "idle", "value": "0", "age_s": 1.0, "quiet_s": 90.0, "reason": ""}
    gpu = {"percent": 0.0, "peak_percent": 50.0, "quiet_s": 95.0, "state": "idle"}
    return {
        "signals": [{"name": name, **idle} for name in NAMES],
        "gpus": [{**gpu, "index": 0}, {**gpu, "index": 1, "quiet_s": None, "peak_percent": 0.0}],
        "watched_s": 100.0,
    }


def check(connection: Connection, answer: object, pod: PodDetails = POD) -> activity.Activity:
    return activity._check_answer(connection, pod, pod.gpu_count or 0, answer)


def test_an_honest_answer_is_believed(connection: Connection) -> None:
    read = check(connection, make_answer())
    left_out = ("network",) if connection.is_sandbox else ()
    assert (read.idle_s, read.why_busy, read.unused_gpus, read.left_out) == (90.0, "", (1,), left_out)
    assert read.gpus[0].quiet_s == 95.0
    without = check(connection, {**make_answer(), "gpus": []}, POD.model_copy(update={"gpu_count": 0}))
    assert (without.idle_s, without.gpus) == (90.0, ())
    assert "gpu" in without.left_out
    busy = make_answer()
    busy["signals"][2] |= {"state": "busy", "reason": "GPU 3 at 97 %", "quiet_s": 0}
    assert check(connection, busy).why_busy == "GPU 3 at 97 %"


def change(place: int, **values: object) -> Callable[[dict[str, Any]], object]:
    return lambda answer: answer["signals"][place].update(values)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda answer: answer.pop("signals"), "cells"),
        (lambda answer: answer.update(signals={"name": "cells"}), "cells"),
        (lambda answer: answer.update(signals=[5, None, "x"]), "cells"),
        (lambda answer: answer["signals"].pop(4), "cpu"),
        (lambda answer: answer["signals"].append(answer["signals"][3]), "logins"),
        (lambda answer: answer.update(signals=[{"name": "x"}] * 20 + answer["signals"]), "cells"),
        (change(0, state="asleep"), "cells"),
        (change(0, state=["idle"]), "cells"),
        (change(1, quiet_s=-1), "transfers"),
        (change(1, quiet_s=float("nan")), "transfers"),
        (change(1, quiet_s=float("inf")), "transfers"),
        (change(1, quiet_s=True), "transfers"),
        (change(1, quiet_s="90"), "transfers"),
        (change(4, age_s=None), "cpu"),
        (change(4, age_s=31.0), "cpu"),
        (change(4, age_s=-1), "cpu"),
        (lambda answer: answer.pop("gpus"), "gpu"),
        (lambda answer: answer["gpus"].pop(), "gpu"),
        (lambda answer: answer["gpus"][1].update(index=0), "gpu"),
        (lambda answer: answer["gpus"][1].update(index=64), "gpu"),
        (lambda answer: answer["gpus"][1].update(state="busy"), "gpu"),
        (lambda answer: answer["gpus"][1].update(percent=30.0), "gpu"),
        (lambda answer: answer["gpus"][1].update(percent=None), "gpu"),
    ],
)
def test_whatever_is_wrong_counts_as_busy(
    connection: Connection, damage: Callable[[dict[str, Any]], object], name: str
) -> None:
    answer = make_answer()
    damage(answer)
    read = check(connection, answer)
    assert {each.name: each.state for each in read.signals}[name] == "unknown"
    assert read.idle_s == 0
    assert read.why_busy.endswith("counted as busy")


@pytest.mark.parametrize("content", [None, [], "idle", {}, {"signals": "idle", "gpus": 5, "watched_s": "x"}])
def test_an_answer_that_is_none_says_nothing(connection: Connection, content: object) -> None:
    read = check(connection, content)
    assert {each.state for each in read.signals} == {"unknown"}
    assert (read.idle_s, read.gpus, read.watched_s, read.unused_gpus) == (0.0, (), 0.0, ())


def test_nothing_is_idle_for_longer_than_it_was_watched(connection: Connection) -> None:
    answer = {**make_answer(), "watched_s": 10.0}
    assert check(connection, answer).idle_s == 10.0
    assert check(connection, {**answer, "watched_s": float("inf")}).idle_s == 0.0


def test_texts_are_clean_and_short(connection: Connection) -> None:
    answer = make_answer()
    text = "\x1b[31m<script>\u202e" * 500
    change(0, state="busy", reason=text, value=text)(answer)
    change(1, state="busy", reason=["x"], value={"a": 1})(answer)
    read = check(connection, answer)
    assert "\x1b" not in read.why_busy
    assert "\u202e" not in read.signals[0].value
    assert len(read.why_busy) < 200
    assert (read.signals[1].reason, read.signals[1].value) == ("", "")
