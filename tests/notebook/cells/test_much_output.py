"""A cell that prints a lot: what the notebook's server and the browser can take is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.notebook.cells import pace, text_limit
from primepods_magic.notebook.cells.pace import await_server
from primepods_magic.notebook.cells.text_limit import TextLimit

# Of jupyter_server: `ZMQChannelsWebsocketConnection.iopub_data_rate_limit`, `iopub_msg_rate_limit`, and
# `rate_limit_window`.
MAX_BYTES, MAX_MESSAGES, WINDOW_S = 3_000_000, 3_000, 3.0


@pytest.mark.parametrize(
    ("content", "size"),
    [
        ({"text": "x" * 64_000}, 64_000),
        ({"text": "\x1b[0m\n" * 10_000}, 110_000),
        ({"data": {"text/plain": "日" * 20_000}}, 60_000),
        ({"text": "x"}, 400),
    ],
)
def test_is_slow_enough_for_the_server(
    monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], size: int
) -> None:
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    monkeypatch.setattr(pace, "_budget_bytes", pace._BURST_BYTES)
    monkeypatch.setattr(pace, "_counted_at", clock[0])
    sent: list[float] = []
    while clock[0] < 1004:
        await_server(content)
        sent.append(clock[0])
    for begin in sent:
        count = sum(begin <= at < begin + WINDOW_S for at in sent)
        assert count < MAX_MESSAGES
        assert count * size < MAX_BYTES
    assert len(sent) * max(size, 800) > 2_000_000


@given(
    texts=st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab", max_size=9)), max_size=40)
)
def test_the_beginning_and_the_end_are_shown_and_what_is_missing_is_counted(
    texts: list[tuple[str, str]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_limit, "_MAX_FIRST_CHARS", 30)
        patch.setattr(text_limit, "_MAX_LAST_CHARS", 20)
        limit = TextLimit("k3f9xq")
        first = [shown for name, text in texts for shown in limit.pass_text(name, text)]
        rest = list(limit.pass_rest())
    notes = [text for _, text in (*first, *rest) if text.startswith(("\n[Too much", "["))]
    shown = [each for each in (*first, *rest) if each[1] not in notes]
    chars = sum(len(text) for _, text in texts)
    if chars < 30:
        assert (shown, notes) == (texts, [])
        return
    begin = [each for each in first if each[1] not in notes]
    end = [each for each in rest if each[1] not in notes]
    assert begin == texts[: len(begin)]
    assert end == texts[len(texts) - len(end) :]
    missing = texts[len(begin) : len(texts) - len(end)]
    assert len(notes) == (2 if any(text for _, text in missing) else 1)
    assert not missing or sum(len(text) for _, text in end) >= 20
    assert limit._hidden_chars == limit._held_chars == 0


def test_the_end_of_what_is_shown_says_how_to_see_the_rest() -> None:
    limit = TextLimit("k3f9xq")
    first = list(limit.pass_text("stdout", "a" * 5_000_000))
    assert [len(text) for _, text in first[:1]] == [5_000_000]
    assert "its end is shown when the cell ends" in first[1][1]
    for _ in range(100):
        assert list(limit.pass_text("stdout", "b" * 64_000)) == []
    (name, note), *end = limit.pass_rest()
    assert name == "stderr"
    assert note.startswith(
        "[6.1 MB are not shown here. In IPython in a terminal, '%pods attach k3f9xq' shows"
    )
    assert sum(len(text) for _, text in end) == 256_000
    limit.clear()
    assert list(limit.pass_text("stdout", "again")) == [("stdout", "again")]
