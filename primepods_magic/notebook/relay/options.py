"""The options of the relay, which the kernel spec has as words of its command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

__all__ = ["RelayOptions", "read_options"]


@dataclass(frozen=True)
class RelayOptions:
    """The session that is relayed to, and how its cells are shown.

    Attributes
    ----------
    pod, session : str
        The pod's id, and the name of the session there.
    costs : str
        ``"auto"`` shows what a cell cost if a person is there; or ``"always"`` or ``"never"``.
    sync : bool
        Send the notebook's folder before each cell.
    route : str
        The file that says how ssh reaches the pod; empty if there is none.
    owner : str
        What relays of the same front end have in common, one after another.
    """

    pod: str
    session: str
    costs: str
    sync: bool
    route: str = ""
    owner: str = ""


def read_options(words: Sequence[str]) -> tuple[RelayOptions, list[str]]:
    """Return the options, and the words that are ipykernel's.

    >>> options, rest = read_options(["-f", "kernel.json", "--pod", "a1", "--sync"])
    >>> options.pod, options.session, options.sync, rest
    ('a1', 'main', True, ['-f', 'kernel.json'])
    """
    parser = argparse.ArgumentParser(prog="primepods_magic.notebook.relay", allow_abbrev=False)
    parser.add_argument("--pod", required=True)
    parser.add_argument("--session", default="main")
    parser.add_argument("--costs", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--route", default="")
    found, rest = parser.parse_known_args(words)
    file = os.path.abspath(rest[rest.index("-f") + 1]) if "-f" in rest[:-1] else ""
    return RelayOptions(**vars(found), owner=sha256(file.encode()).hexdigest()[:16]), rest
