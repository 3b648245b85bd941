"""What a pod says of the end of a cell: a terminal gets no escape that does more than color."""

from __future__ import annotations

from primepods_magic.remote.job import JobEnd
from primepods_magic.remote.job_errors import make_remote_error


def test_a_traceback_keeps_its_colors_and_nothing_else() -> None:
    lines = ["\x1b[31mValueError\x1b[39m\x1b]0;title\x07", "Cell In[7], line 3\x1b[2J\x1bc", "half \ud83d", 5]
    reply = {"ename": "ValueError", "evalue": "x\x1b[2J", "traceback": lines, "execution_count": 7}
    error = make_remote_error("train", "error", reply, number=2)
    assert error.traceback == ["\x1b[31mValueError\x1b[39m", "Cell In[2], line 3", "half ?", "5"]
    assert str(error).endswith("(line 3)")
    assert "\x1b" not in str(error)


def test_a_state_that_does_not_exist_is_a_death() -> None:
    assert JobEnd.from_header({"state": "\x1b]0;title\x07"}).state == "died"
    assert JobEnd.from_header({"state": ["ok"]}).state == "died"
    assert JobEnd.from_header({"state": "ok"}).state == "ok"
