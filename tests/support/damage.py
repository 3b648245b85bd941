"""What may stand in the place of a file: nothing of use, a folder, a pipe, a link to nowhere."""

from __future__ import annotations

import os
from pathlib import Path

CONTENTS = {
    "empty": b"",
    "truncated": b'{"a": ',
    "text": b"not what belongs here\n",
    "binary": bytes(range(256)) * 20,
    "json": b'[1, {"a": null}]',
    "deep": b"[" * 100_000,
}

DAMAGES = (*CONTENTS, "folder", "pipe", "dangling", "loop", "device")


def damage_path(path: Path, damage: str) -> None:
    """Put something else in the place of a file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if damage in CONTENTS:
        path.write_bytes(CONTENTS[damage])
    elif damage == "folder":
        path.mkdir()
        (path / "inside").write_text("kept")
    elif damage == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"dangling": "/nowhere/at/all", "loop": path.name, "device": "/dev/zero"}[damage])
