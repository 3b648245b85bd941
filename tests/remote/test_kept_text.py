"""What is kept of a text: its beginning, its end, and how much is missing between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.remote.limits import kept_text
from primepods_magic.remote.limits.kept_text import KeptText


@given(texts=st.lists(st.text("abcdef", max_size=60), max_size=30))
def test_the_head_and_the_tail_are_kept(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_text, "_HEAD_CHARS", 40)
        patch.setattr(kept_text, "_TAIL_CHARS", 30)
        kept = KeptText()
        for text in texts:
            kept.append(text)
            assert sum(map(len, [*kept._head, *kept._tail])) <= 70
    whole = "".join(texts)
    if len(whole) <= 70:
        assert kept.join() == whole
    else:
        assert kept.join() == f"{whole[:40]}\n[0.0 MB of output were not kept]\n{whole[-30:]}"
        assert kept._dropped_chars == len(whole) - 70


def test_what_is_missing_is_said() -> None:
    kept = KeptText()
    for _ in range(5):
        kept.append("x" * 10_000_000)
    assert len(kept.join()) < (33 << 20)
    assert "\n[16.4 MB of output were not kept]\n" in kept.join()
