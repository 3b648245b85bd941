"""The agent as one file for Python 3.8 or newer, named by its content, and the command that starts it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

__all__ = ["COMMAND", "AgentArchive", "build_archive"]

# The pod runs only this command, so the arguments of processes contain no code and no names. The first line
# of its input is the program; without a Python, the end of that line, after the '#', is printed back.
COMMAND = (
    "exec /bin/sh -c 'exec 2>/dev/null; "
    "for p in python3 python /opt/conda/bin/python /usr/local/bin/python3 /usr/bin/python3; do "
    'command -v "$p" >/dev/null && "$p" -c "import sys; sys.exit(sys.version_info < (3, 8))" '
    '&& exec "$p" -S -c "import sys; exec(sys.stdin.readline())"; done; '
    'IFS= read -r line; printf "\\n%s no-python\\n" "${line##*#}"; exit 97\''
)

_BOOT = """\
import os, sys
def say(text):
    os.write(1, ("\\n" + cookie + " " + text + "\\n").encode("utf-8", "replace"))
try:
    os.environ["POD_LOGIN_UMASK"] = oct(os.umask(0o077))
    folder = os.path.expanduser("~/.primepods/" + name)
    path = folder + "/agent.pyz"
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(path):
        say("need")
        data = sys.stdin.buffer.read(size)
        if len(data) < size:
            sys.exit(98)
        with open("%s.%d" % (path, os.getpid()), "wb") as file:
            file.write(data)
        os.replace(file.name, path)
    sys.argv[:] = [path]
    sys.path.insert(0, path)
    from primepods_agent.bridge import run_bridge
    run_bridge(say)
except Exception as error:
    say("failed %s: %s" % (type(error).__name__, error))
    sys.exit(99)
"""
# The kernel runs at the same stack depth as with its own launcher.
_MAIN = "from primepods_agent.main import find_command\n\nfind_command()()\n"
_DATE = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class AgentArchive:
    """The agent for pods: a zip file and its name."""

    data: bytes
    name: str

    def make_first_line(self, cookie: str) -> bytes:
        """Return the line that starts the agent's bridge, or asks for the archive first."""
        setup = f"cookie, name, size = {cookie!r}, {self.name!r}, {len(self.data)}\n"
        return f"exec({setup + _BOOT!r})#{cookie}\n".encode()


@lru_cache(maxsize=1)
def build_archive() -> AgentArchive:
    """Return the agent of this version."""
    buffer = io.BytesIO()
    sources = {"__main__.py": _MAIN.encode()}
    for folder in ("", "/activity", "/files", "/guard", "/kernel", "/packages", "/values"):
        for source in files(f"{__package__}.agent").joinpath(folder.strip("/")).iterdir():
            if source.name.endswith(".py"):
                sources[f"primepods_agent{folder}/{source.name}"] = source.read_bytes()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(sources):
            archive.writestr(zipfile.ZipInfo(name, _DATE), sources[name], zipfile.ZIP_DEFLATED)
    digest = hashlib.sha256(b"\0".join(sources[name] for name in sorted(sources))).hexdigest()
    return AgentArchive(buffer.getvalue(), digest[:16])
