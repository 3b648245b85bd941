"""Everything that can go wrong, as one small tree of exceptions.

Every message says what happened, what was and was not done (and billed), and what to do next. In a
notebook an error shows as its message alone, without a traceback, and still stops the notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.text.sanitize import clean_message, sanitize, shorten
from primepods_magic.api.text.stream_output import printable, shows_colors

__all__ = [
    "AuthenticationError",
    "BudgetExceeded",
    "ConnectionClosed",
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
    "RequestRefused",
    "ServiceUnavailable",
    "UnexpectedAnswer",
    "WaitInterrupted",
    "WaitTimedOut",
    "error_words",
]


_LONGEST_MESSAGE = 20_000


class PodsError(Exception):
    """Root of every error that this package raises on purpose.

    Parameters
    ----------
    message : str
        What the user reads; it is made safe to print. Its lines stay lines, so whatever is put into it from
        outside has to be on one line: `sanitize`.
    status_code : int, optional
        HTTP status, where the service answered.
    request_id : str, optional
        The service's id of the request, where it gave one.
    said : str, optional
        What the service said, in its own words.
    retry_after_s : float, optional
        How long the service asked to wait before trying again, in seconds.

    Attributes
    ----------
    may_be_billed : bool
        A create may have made a pod that is billed, although this failed; the message says what to do.

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
        said: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(shorten(clean_message(str(message)[: _LONGEST_MESSAGE + 1]), _LONGEST_MESSAGE))
        self.status_code = status_code
        self.request_id = request_id and sanitize(request_id)
        self.said = said and sanitize(said)
        self.retry_after_s = retry_after_s

    def prepend(self, text: str) -> None:
        """Put what was done before into the message, which no longer says that nothing was; empty text
        changes nothing."""
        if text:
            said = str(self.args[0]).replace("; nothing was done", "")
            self.args = (shorten(clean_message(f"{text}: {said}"), _LONGEST_MESSAGE),)

    def hide(self, secrets: Mapping[str, str]) -> None:
        """Put other words in the place of secrets, wherever this error repeats them in some form."""
        self.args = tuple(hide_secrets(str(text), secrets) for text in self.args)
        self.said = self.said and hide_secrets(self.said, secrets)
        self.request_id = self.request_id and hide_secrets(self.request_id, secrets)

    def __str__(self) -> str:
        return printable(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        name = type(self).__name__
        return [printable(f"\x1b[31m{name}\x1b[0m: {self}" if shows_colors() else f"{name}: {self}")]


class NotConfigured(PodsError):
    """There is no key, or the settings cannot be read."""


class InvalidRequest(PodsError):
    """What was asked is not valid; nothing was sent, or the service refused its form (422)."""


class LaunchRefused(PodsError):
    """A launch was not consented to; nothing was created."""


class LaunchIncomplete(PodsError):
    """Of several pods that were to be launched some were not; the message says which.

    Attributes
    ----------
    pods : tuple of Pod
        Those that were rented, or were there, and are billed.
    failures : dict of str to PodsError
        Why each of the others was not created, or is not known to be, by its name.
    """

    def __init__(self, message: str, *, pods: Iterable[Any] = (), failures: Mapping[str, PodsError]) -> None:
        super().__init__(message)
        self.pods = tuple(pods)
        self.failures = dict(failures)

    def hide(self, secrets: Mapping[str, str]) -> None:
        """As for every error, and in the failures."""
        super().hide(secrets)
        for failure in self.failures.values():
            failure.hide(secrets)


class BudgetExceeded(PodsError):
    """A launch is above a ceiling, and nothing was created; or its pod turned out to be, and was ended."""


class ConnectionClosed(PodsError):
    """This belongs to a connection that has been closed."""


class NameInUse(PodsError):
    """The name is taken, by a pod that differs or by several; nothing was created."""


class OutcomeUnknown(PodsError):
    """A create was sent and nobody can say yet whether a pod exists."""

    may_be_billed = True


class PodFailed(PodsError):
    """A pod that was waited for, or that has the name of a launch, has failed or ended."""


class WaitInterrupted(PodsError):
    """Ctrl-C ended the waiting; the message says what goes on and is billed."""


class WaitTimedOut(PodsError):
    """The time for waiting is over; the pods go on, and go on being billed."""


class RequestRefused(PodsError):
    """The service understood the request and refused it (400, 405 and unlisted 4xx)."""


class AuthenticationError(RequestRefused):
    """The key is missing, unknown, expired or revoked (401)."""


class PaymentRequired(RequestRefused):
    """The wallet cannot pay for this (402)."""


class PermissionDenied(RequestRefused):
    """The key lacks the permission for this (403)."""


class NotFound(RequestRefused):
    """There is no such pod, team or key, or this key cannot see it (404)."""


class OutOfStock(RequestRefused):
    """No offer fits, or the service says that the one that was chosen has no machine left."""


class RateLimited(RequestRefused):
    """Too many requests (429), still so after waiting and trying again."""


class ServiceUnavailable(PodsError):
    """The service could not be reached, or failed (5xx), after trying again where that is safe.

    Attributes
    ----------
    may_have_acted : bool
        The request left, so what it asked for may have been done.
    """

    may_have_acted = True


class UnexpectedAnswer(PodsError):
    """The service gave an answer of a kind that this request does not get."""


_BY_STATUS: Mapping[int, type[PodsError]] = {
    401: AuthenticationError,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    409: OutOfStock,
    422: InvalidRequest,
    429: RateLimited,
}


REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 409, 410, 411, 413, 414, 415, 422, 429, 431})
"""Statuses that say that a request was not acted on; any other, such as a proxy's 408, does not say so."""


def error_words(error: BaseException) -> str:
    """What to tell of an error: what ours say; of others the kind alone, for they may repeat what was sent.

    >>> error_words(ValueError("hunter2")), error_words(PodsError("no such pod"))
    ('ValueError', 'no such pod')
    """
    return str(error) if isinstance(error, PodsError) else type(error).__name__


def error_class(status_code: int) -> type[PodsError]:
    """The class of error that an HTTP status means.

    >>> error_class(402).__name__
    'PaymentRequired'
    """
    if status_code >= 500:
        return ServiceUnavailable
    return _BY_STATUS.get(status_code, RequestRefused)
