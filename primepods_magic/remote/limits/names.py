"""Names of sessions and ids of jobs."""

from __future__ import annotations

import re
import secrets
import string

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.remote.agent.frames import SESSION_NAME

__all__ = ["check_session", "is_job_id", "make_job_id"]

_JOB_ID = re.compile(r"[a-z0-9]{1,20}\Z")
_LETTERS = string.ascii_lowercase + string.digits


def check_session(session: str) -> None:
    """Raise InvalidRequest if this is not the name of a session."""
    if not isinstance(session, str) or not SESSION_NAME.match(session):
        raise InvalidRequest(
            f"{sanitize(shorten(repr(session), 80))} is not a valid session name: use up to 40 letters, "
            "digits, '-' and '_'. Nothing was run"
        )


def make_job_id() -> str:
    """Return an id that no other job has."""
    return "".join(secrets.choice(_LETTERS) for _ in range(6))


def is_job_id(text: object) -> bool:
    """Return whether this is the id of a job."""
    return isinstance(text, str) and _JOB_ID.match(text) is not None
