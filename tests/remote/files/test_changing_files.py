"""Files that are written while they are read: what is sent is what the file was at one time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.remote.agent.files.pack import iterate_blocks
from primepods_magic.remote.agent.files.root import Root
from primepods_magic.remote.agent.files.stream import BLOCK_BYTES
from primepods_magic.remote.agent.files.unpack import Unpacker

SIZE = 3 * BLOCK_BYTES


def _rewrite_file(file: io.BufferedRandom) -> None:
    file.write(b"b" * SIZE)


def _add_line(file: io.BufferedRandom) -> None:
    file.seek(0, io.SEEK_END)
    file.write(b"b")


@pytest.mark.parametrize("start", [0, BLOCK_BYTES])
@pytest.mark.parametrize("write", [_rewrite_file, _add_line])
def test_a_file_that_is_rewritten_while_it_is_read_does_not_arrive(
    here: Path, there: Path, write: Any, start: int
) -> None:
    source = here / "model.pt"
    source.write_bytes(b"a" * SIZE)
    if start:
        (there / ".model.pt.primepods-part").write_bytes(b"a" * start)
    unpacker = Unpacker(Root(str(there)))
    facts = {"path": source.name, "kind": "file", "size": SIZE, "start": start}
    with Root(str(here)) as root, source.open("r+b", buffering=0) as file:
        for number, block in enumerate(iterate_blocks(root, [facts])):
            if not number:
                write(file)
            unpacker.feed(b"".join(block))
    unpacker.close()
    if write is _rewrite_file:
        assert unpacker.failures == {"model.pt": "it was changed while it was read"}
        assert not (there / "model.pt").exists()
    else:
        # The beginning of a log stays as it was.
        assert not unpacker.failures
        assert (there / "model.pt").read_bytes() == b"a" * SIZE
