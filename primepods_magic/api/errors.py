"""Exceptions that this package raises on purpose.

Every message says what happened, what was and was not done (and billed), and what to do next. A notebook
shows only the message of an error, without a traceback, and still stops. In a script, a traceback ends at the
call of this package. With ``PRIMEPODS_DEBUG=1`` both show all of it.

    PodsError
    ├── NotConfigured               no key, or unreadable settings
    ├── InvalidRequest              rejected before sending, or by the service (422)
    ├── LaunchRefused               no consent to the price
    ├── LaunchIncomplete            some of several pods were not launched
    ├── BudgetExceeded              above a price limit
    ├── GuardNotArmed               no guard can end the pod
    ├── NameInUse                   the pod name is taken
    ├── OutcomeUnknown              a create was sent; its pod may exist and be billed
    ├── PodFailed                   the pod failed or ended
    ├── CommandFailed               a command on a pod failed
    ├── RemoteError                 a cell on a pod failed
    │   └── RemoteNameError         a variable that is not there
    ├── SshFailed                   no connection to a pod
    ├── TransferFailed              some files were not sent or fetched
    ├── WaitInterrupted             Ctrl-C while waiting
    ├── WaitTimedOut                still not ready in time
    ├── ConnectionClosed            used after closing
    ├── ServiceUnavailable          unreachable, or 5xx after retries
    ├── UnexpectedAnswer            a response that cannot be read
    └── RequestRefused              the service refused (400, 405, other 4xx)
        ├── AuthenticationError     401
        ├── PaymentRequired         402
        ├── PermissionDenied        403
        ├── NotFound                404
        ├── OutOfStock              no machine left
        │   └── StockAwaited        the launch waits for one
        └── RateLimited             429 after retries
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.text.python_words import use_python_words
from primepods_magic.api.text.sanitize import clean_message, sanitize, shorten
from primepods_magic.api.text.stream_output import printable, shows_colors

__all__ = [
    "AuthenticationError",
    "BudgetExceeded",
    "CommandFailed",
    "ConnectionClosed",
    "GuardNotArmed",
    "InvalidRequest",
    "LaunchIncomplete",
    "LaunchRefused",
    "NameInUse",
    "NotConfigured",
    "NotFound",
    "OutOfStock",
    "OutcomeUnknown",
    "PaymentRequired",
    "PermissionDenied",
    "PodFailed",
    "PodsError",
    "RateLimited",
    "RemoteError",
    "RemoteNameError",
    "RequestRefused",
    "ServiceUnavailable",
    "SshFailed",
    "StockAwaited",
    "TransferFailed",
    "UnexpectedAnswer",
    "WaitInterrupted",
    "WaitTimedOut",
    "error_words",
]

_MAX_MESSAGE_CHARS = 20_000
_NOTHING_DONE = re.compile(r"[;.] nothing was done", re.IGNORECASE)


class PodsError(Exception):
    """Base class of every error that this package raises on purpose.

    Parameters
    ----------
    message : str
        The text that the user reads. It is made safe to print; its line breaks stay, so pass outside text
        through `sanitize` first.
    status_code : int, optional
        HTTP status, if the service responded.
    request_id : str, optional
        The service's id of the request, if it gave one.
    detail : str, optional
        The reason in the service's own words.
    retry_after_s : float, optional
        Seconds that the service asked to wait before a retry.
    said : str, optional
        Former name of ``detail``.

    Attributes
    ----------
    may_be_billed : bool
        True if a pod may exist and be billed despite this error; the message says what to do.

    Examples
    --------
    >>> raise PodsError("no pod of yours is called 'train'")
    Traceback (most recent call last):
        ...
    primepods_magic.api.errors.PodsError: no pod of yours is called 'train'
    """

    may_be_billed = False

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        request_id: str | None = None,
        detail: str | None = None,
        retry_after_s: float | None = None,
        said: str | None = None,
    ) -> None:
        super().__init__(_limit_message(str(message)[: _MAX_MESSAGE_CHARS + 1]))
        detail = detail or said
        self.status_code = status_code
        self.request_id = request_id and sanitize(request_id)
        self.detail = detail and sanitize(detail)
        self.retry_after_s = retry_after_s

    @property
    def said(self) -> str | None:
        """Former name of ``detail``."""
        return self.detail

    def prepend(self, text: str) -> None:
        """Put an earlier action before the message, which then no longer claims that nothing was done.

        Parameters
        ----------
        text : str
            The earlier action; empty text changes nothing.
        """
        if text:
            self.args = (_limit_message(f"{text}: {_NOTHING_DONE.sub('', str(self.args[0]))}"),)

    def hide(self, secrets: Mapping[str, str]) -> None:
        """Replace secrets wherever this error repeats them in any form.

        Parameters
        ----------
        secrets : mapping of str to str
            The text to show, by secret.
        """
        self.args = tuple(hide_secrets(str(text), secrets) for text in self.args)
        self.detail = self.detail and hide_secrets(self.detail, secrets)
        self.request_id = self.request_id and hide_secrets(self.request_id, secrets)

    def __str__(self) -> str:
        return printable(use_python_words(super().__str__()))

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback."""
        if is_debugging():
            return [printable(line.rstrip("\n")) for line in traceback.format_exception(self)]
        name = type(self).__name__
        return [printable(f"\x1b[31m{name}\x1b[0m: {self}" if shows_colors() else f"{name}: {self}")]


NO_API_KEY = (
    "There is no API key. Nothing was sent. Set PRIME_API_KEY or run 'prime login'. To try without a key, "
    "run '%pods connect --sandbox'"
)


class NotConfigured(PodsError):
    """There is no key, or the settings cannot be read."""


class InvalidRequest(PodsError):
    """The request is not valid: nothing was sent, or the service rejected it as malformed (422)."""


class LaunchRefused(PodsError):
    """A launch was not confirmed. Nothing was created."""


class LaunchIncomplete(PodsError):
    """Some of several pods were not launched; the message says which.

    Attributes
    ----------
    pods : tuple of Pod
        The pods that were rented, or already existed, and are billed.
    failures : dict of str to PodsError
        By name, the error of each pod that was not created, or may not have been.
    """

    def __init__(self, message: str, *, pods: Iterable[Any] = (), failures: Mapping[str, PodsError]) -> None:
        super().__init__(message)
        self.pods = tuple(pods)
        self.failures = dict(failures)

    def hide(self, secrets: Mapping[str, str]) -> None:
        """Replace secrets in this error and in its ``failures``.

        Parameters
        ----------
        secrets : mapping of str to str
            The text to show, by secret.
        """
        super().hide(secrets)
        for failure in self.failures.values():
            failure.hide(secrets)


class BudgetExceeded(PodsError):
    """A launch exceeds a price limit: nothing was created, or its pod was terminated."""


class GuardNotArmed(PodsError):
    """A guard could not end its pod, so it is not armed; the message says why, and whether there is a pod."""


class ConnectionClosed(PodsError):
    """The connection in use has been closed."""


class NameInUse(PodsError):
    """The name is taken, by a different pod or by several. Nothing was created."""


class OutcomeUnknown(PodsError):
    """A create was sent, but it is not yet known whether a pod exists."""

    may_be_billed = True


class PodFailed(PodsError):
    """A pod that was waited for, or that has the name of a launch, has failed or ended."""


class CommandFailed(PodsError):
    """A command on a pod ended with an exit code that is not 0.

    Attributes
    ----------
    exit_code : int
        The code; a shell returns 128 + N for a command that signal N ended.
    result : CommandResult
        What `Pod.exec` would have returned: its ``stdout`` and ``stderr``.
    """

    def __init__(self, message: str, *, exit_code: int, result: Any = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.result = result


class RemoteError(PodsError):
    """A cell on a pod raised an exception.

    Attributes
    ----------
    ename, evalue : str
        The class of the exception there, and its text.
    traceback : list of str
        The traceback there, with colors; a notebook shows it.
    """

    def __init__(self, message: str, *, ename: str, evalue: str, traceback: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.ename = ename
        self.evalue = evalue
        self.traceback = list(traceback)

    def _render_traceback_(self) -> list[str]:
        return self.traceback or super()._render_traceback_()


class RemoteNameError(RemoteError):
    """A variable that was to be fetched does not exist on the pod. The message names the nearest ones.

    Attributes
    ----------
    names : tuple of str
        The names that are missing.
    """

    def __init__(self, message: str, *, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(message, ename="NameError", evalue=f"name {self.names[0]!r} is not defined")


class SshFailed(PodsError):
    """The SSH connection to a pod failed or was lost; the message says whether a command was run.

    Attributes
    ----------
    reason : str
        ``"host-key"``, ``"denied"``, ``"refused"``, ``"unreachable"``, ``"lost"`` or ``"setup"``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class TransferFailed(PodsError):
    """Some files could not be sent to a pod, fetched from it, or removed there; the others were.

    Attributes
    ----------
    failures : dict of str to str
        By path, the reason.
    """

    def __init__(self, message: str, *, failures: Mapping[str, str]) -> None:
        super().__init__(message)
        self.failures = dict(failures)


class WaitInterrupted(PodsError):
    """Ctrl-C ended a wait; the message says which pods keep running and are billed."""


class WaitTimedOut(PodsError):
    """A wait timed out. The pods keep running and are billed."""


class RequestRefused(PodsError):
    """The service understood the request and refused it (400, 405 and unlisted 4xx)."""


class AuthenticationError(RequestRefused):
    """The key is missing, unknown, expired or revoked (401)."""


class PaymentRequired(RequestRefused):
    """The wallet cannot pay for this (402)."""


class PermissionDenied(RequestRefused):
    """The key lacks the permission for this (403)."""


class NotFound(RequestRefused):
    """The pod, team or key does not exist, or this key cannot see it (404)."""


class OutOfStock(RequestRefused):
    """No offer fits, or the chosen offer has no machine left."""


class StockAwaited(OutOfStock):
    """No offer fits now, and the launch waits for one on this computer; nothing was created yet."""


class RateLimited(RequestRefused):
    """Too many requests (429), still after waiting and retrying."""


class ServiceUnavailable(PodsError):
    """The service is unreachable or failed (5xx), after retries where those are safe.

    Attributes
    ----------
    may_have_acted : bool
        True if the request was sent, and so may have taken effect.
    """

    may_have_acted = True


class UnexpectedAnswer(PodsError):
    """The service returned a response that does not fit the request."""


def error_words(error: BaseException) -> str:
    """Return our own error's message, else only the class name: other messages may repeat what was sent.

    >>> error_words(ValueError("hunter2")), error_words(PodsError("no such pod"))
    ('ValueError', 'no such pod')
    """
    return str(error) if isinstance(error, PodsError) else type(error).__name__


def is_debugging() -> bool:
    """Return whether errors keep their full tracebacks."""
    return bool(os.environ.get("PRIMEPODS_DEBUG"))


def _limit_message(text: str) -> str:
    return shorten(clean_message(text), _MAX_MESSAGE_CHARS)
