"""Words such as ``train:data/a.csv``: a pod, and a path on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["is_pod_path", "split_pod_path"]

_DRIVE = re.compile(r"[A-Za-z]:\\")
_LOCAL = re.compile(r"[./~]|[A-Za-z]:\\")


def is_pod_path(word: str) -> bool:
    r"""Return whether a word is a path on a pod rather than one here.

    >>> is_pod_path("train:a.csv"), is_pod_path("./a:b"), is_pod_path(r"C:\a")
    (True, False, False)
    """
    return ":" in word and not _LOCAL.match(word)


def split_pod_path(connection: Connection, word: str) -> tuple[PodDetails, str]:
    """Return the pod that a word names, and the path after its colon; empty if there is none.

    The name ends at the first colon, unless no pod has that name: names may have colons, too. Raises as
    `find_pod`, and InvalidRequest for a path of this computer.
    """
    from primepods_magic.api.errors import InvalidRequest, NotFound
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.find import find_pod

    if _DRIVE.match(word):
        raise InvalidRequest(f"'{sanitize(word)}' is a path on this computer, not a pod. Nothing was done")
    ends = [index for index, char in enumerate(word) if char == ":"] or [len(word)]
    failure: NotFound | None = None
    for end in dict.fromkeys([*ends, len(word)]):
        try:
            return find_pod(connection, word[:end]), word[end + 1 :]
        except NotFound as error:
            failure = failure or error
    assert failure is not None
    raise failure
